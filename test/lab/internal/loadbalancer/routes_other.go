//go:build !linux

package loadbalancer

import "errors"

func newRouter() (router, error) {
	return nil, errors.New("load balancer: routes to nodes can be set on Linux only")
}
