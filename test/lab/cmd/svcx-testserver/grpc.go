package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	grpcstatus "google.golang.org/grpc/status"
)

// healthStatus reads the name of a health status.
func healthStatus(name string) (healthpb.HealthCheckResponse_ServingStatus, error) {
	n, ok := healthpb.HealthCheckResponse_ServingStatus_value[name]
	if !ok {
		return 0, fmt.Errorf("unknown health status %q", name)
	}
	return healthpb.HealthCheckResponse_ServingStatus(n), nil
}

// health answers grpc.health.v1 as the behaviour says.
type health struct {
	healthpb.UnimplementedHealthServer
	gate *gate
}

// Check answers one question. The server as a whole is the service "" (and any other
// name is unknown, as the protocol asks).
func (h *health) Check(ctx context.Context, r *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	b := h.gate.get()
	if b.mode == slow && !pause(ctx, b.delay) {
		return nil, grpcstatus.FromContextError(ctx.Err()).Err()
	}
	if r.GetService() != "" {
		return nil, grpcstatus.Error(codes.NotFound, "unknown service")
	}
	answer := healthpb.HealthCheckResponse_SERVING
	if b.mode == status {
		answer, _ = healthStatus(b.status)
	}
	return &healthpb.HealthCheckResponse{Status: answer}, nil
}

func serveGRPC(ctx context.Context, g *gate) error {
	s := grpc.NewServer(grpc.ConnectionTimeout(10 * time.Second))
	healthpb.RegisterHealthServer(s, &health{gate: g})
	context.AfterFunc(ctx, s.Stop)
	return s.Serve(g)
}
