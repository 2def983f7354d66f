// Package dryrun asks a real API server, strictly and by a dry run, whether it
// would take manifests. It is for tests with the build tag e2e.
package dryrun

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubectl-svcx/kubectl-svcx/test/cluster"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"
)

// Server is the API server of the cluster for tests, with a namespace that goes
// with the test.
type Server struct {
	Namespace string

	client dynamic.Interface
	mapper meta.RESTMapper
}

// New connects to the cluster of the tests.
func New(t *testing.T) *Server {
	t.Helper()
	cfg := cluster.Config(t)
	cfg.QPS = -1 // the server is the tests' own
	cfg.WarningHandler = rest.NoWarnings{}
	clients, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{}
	if s.client, err = dynamic.NewForConfig(cfg); err != nil {
		t.Fatal(err)
	}
	groups, err := restmapper.GetAPIGroupResources(clients.Discovery())
	if err != nil {
		t.Fatal(err)
	}
	s.mapper = restmapper.NewDiscoveryRESTMapper(groups)
	ns, err := clients.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "svcx-dryrun-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.Namespace = ns.Name
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := clients.CoreV1().Namespaces().Delete(ctx, ns.Name, metav1.DeleteOptions{}); err != nil {
			t.Errorf("delete namespace %s: %v", ns.Name, err)
		}
	})
	return s
}

// taken is what the server says of a node port that another Service of the cluster
// has: it has validated the Service before, and another cluster would take it.
const taken = "provided port is already allocated"

// Refusal returns why the server would not take one document, nil when it would.
// The document goes to it as it is, in this Server's namespace where it names none
// or another: that a namespace is not there says nothing of a manifest.
func (s *Server) Refusal(ctx context.Context, document []byte) error {
	err := s.apply(ctx, document, metav1.DryRunAll)
	if err != nil && strings.Contains(err.Error(), taken) {
		return nil
	}
	return err
}

// Apply has the server take a document, and returns why it does not.
func (s *Server) Apply(ctx context.Context, document []byte) error { return s.apply(ctx, document) }

func (s *Server) apply(ctx context.Context, document []byte, dryRun ...string) error {
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(document, &u.Object); err != nil {
		return err
	}
	gvk := u.GroupVersionKind()
	mapping, err := s.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return err
	}
	namespace := ""
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		namespace = s.Namespace
		if u.GetNamespace() != "" {
			u.SetNamespace(namespace)
			if document, err = u.MarshalJSON(); err != nil {
				return err
			}
		}
	}
	force := true
	_, err = s.client.Resource(mapping.Resource).Namespace(namespace).Patch(ctx, u.GetName(), types.ApplyYAMLPatchType, document,
		metav1.PatchOptions{DryRun: dryRun, FieldManager: "kubectl-svcx", Force: &force, FieldValidation: metav1.FieldValidationStrict})
	return err
}

// Refusals asks for several documents at once; the answers are in their order.
func (s *Server) Refusals(ctx context.Context, documents [][]byte) []error {
	out := make([]error, len(documents))
	var wg sync.WaitGroup
	places := make(chan struct{}, 8)
	for i, d := range documents {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			if err := s.Refusal(ctx, d); err != nil {
				out[i] = fmt.Errorf("%w\n%s", err, d)
			}
		})
	}
	wg.Wait()
	return out
}

// Documents takes what kustomize has built apart.
func Documents(built []byte) [][]byte {
	var out [][]byte
	for _, d := range strings.Split(string(built), "\n---\n") {
		out = append(out, []byte(d))
	}
	return out
}
