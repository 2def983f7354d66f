package verify

import (
	"context"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	streamhttp "k8s.io/streaming/pkg/httpstream"
)

// attach sends in to the stdin of a running container, which then is at its
// end, and returns when the container has ended, or ctx has.
func (c *clients) attach(ctx context.Context, s seat, in io.Reader) error {
	req := c.core.RESTClient().Post().Resource("pods").Namespace(s.namespace).Name(s.pod).SubResource("attach").
		VersionedParams(&corev1.PodAttachOptions{Container: s.container, Stdin: true}, scheme.ParameterCodec)
	err := c.stream(ctx, req, remotecommand.StreamOptions{Stdin: in})
	if refusedStream(err) {
		return fail("permission to create pods/attach in namespace "+s.namespace, "attaching to Pod/%s is not permitted", s.pod)
	}
	return err
}

// stream carries out an attach or an exec: over a websocket or, where that is
// not offered, SPDY, as kubectl does.
func (c *clients) stream(ctx context.Context, req *rest.Request, o remotecommand.StreamOptions) error {
	fallback, err := remotecommand.NewSPDYExecutor(c.cfg, "POST", req.URL())
	if err != nil {
		return err
	}
	primary, err := remotecommand.NewWebSocketExecutor(c.cfg, "GET", req.URL().String())
	if err != nil {
		return err
	}
	e, err := remotecommand.NewFallbackExecutor(primary, fallback, func(err error) bool {
		return streamhttp.IsUpgradeFailure(err) || streamhttp.IsHTTPSProxyError(err)
	})
	if err != nil {
		return err
	}
	return e.StreamWithContext(ctx, o)
}

// refusedStream reports whether a stream was not permitted: what a failed
// upgrade leaves of the API server's answer is its words.
func refusedStream(err error) bool {
	return err != nil && (apierrors.IsForbidden(err) || strings.Contains(err.Error(), "forbidden"))
}

// seat is the container in which svcx-probe runs.
type seat struct {
	namespace, pod, container string
	image                     string
	version                   string // of the Pod, to watch from
	node                      string // where it runs, once that is known
	addresses                 []string
	// streamed says that the image brings a shell only.
	streamed bool
}
