package apply

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// slowMapper asks a server that does not answer.
type slowMapper struct{ meta.RESTMapper }

func (slowMapper) RESTMapping(schema.GroupKind, ...string) (*meta.RESTMapping, error) {
	time.Sleep(32 * time.Second)
	return nil, errors.New("no answer")
}

// Ctrl-C ends a question that client-go would wait half a minute for.
func TestMappingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := (&Client{mapper: slowMapper{}}).mapping(ctx, podKind)
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > time.Second {
			t.Errorf("%v after %s", err, took)
		}
		time.Sleep(time.Minute) // until the question is given up, too
	})
}
