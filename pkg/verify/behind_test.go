package verify

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestBehind(t *testing.T) {
	unready := map[string]any{"endpoints": []any{
		map[string]any{"addresses": []any{"10.244.0.8"}, "conditions": map[string]any{"ready": true, "serving": true}, "targetRef": map[string]any{"kind": "Pod", "name": "redis-7f9c-a"}},
		map[string]any{"addresses": []any{"10.244.1.4"}, "conditions": map[string]any{"ready": false, "serving": false}, "targetRef": map[string]any{"kind": "Pod", "name": "redis-7f9c-b"}},
	}}
	notReady := map[string]any{"status": map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": "False"}}}}
	for _, c := range []struct {
		name  string
		patch map[string]map[string]any
		want  bool
	}{
		{"what is ready is in the slice", nil, false},
		{"a Pod is ready, its endpoint is not", map[string]map[string]any{"EndpointSlice/redis-x": unready}, true},
		{"neither is ready", map[string]map[string]any{"EndpointSlice/redis-x": unready, "Pod/redis-7f9c-b": notReady}, false},
		{"no endpoint at all", map[string]map[string]any{"EndpointSlice/redis-x": {"endpoints": []any{}}}, true},
	} {
		jc := judgeCase{Patch: c.patch}
		if got := behind(newView(jc.snapshot(t))); got != c.want {
			t.Errorf("%s: behind %v, want %v", c.name, got, c.want)
		}
	}
}

// The cluster is read again only while it is behind, and not for ever.
func TestObserveFollowed(t *testing.T) {
	late := judgeCase{Patch: map[string]map[string]any{"EndpointSlice/redis-x": {"endpoints": []any{}}}}
	behindSnapshot, good := late.snapshot(t), (&judgeCase{}).snapshot(t)
	for _, c := range []struct {
		follows, reads int
		err            error
	}{{0, 1, nil}, {2, 3, nil}, {99, 1 + len(followPauses), nil}, {1, 2, errors.New("gone")}} {
		synctest.Test(t, func(t *testing.T) {
			reads, start := 0, time.Now()
			_, err := observeFollowed(t.Context(), func() (*Snapshot, error) {
				reads++
				if reads > c.follows {
					return good, c.err
				}
				return behindSnapshot, nil
			})
			if reads != c.reads || !errors.Is(err, c.err) || time.Since(start) >= 4*time.Second {
				t.Errorf("%d reads, %v, %s, want %+v", reads, err, time.Since(start), c)
			}
		})
	}
}
