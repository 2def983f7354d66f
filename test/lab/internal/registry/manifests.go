package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// maxManifest bounds a manifest, as registries do.
const maxManifest = 4 << 20

// storedManifest is a manifest on disk, with what is needed to put it again.
type storedManifest struct {
	Path        string `json:"path"`
	ContentType string `json:"contentType"`
	Body        []byte `json:"body"`
}

// manifestStore is a registry whose manifests outlive it: the library keeps blobs on disk
// but manifests only in memory. Each manifest put is written down, and put again at the
// start.
type manifestStore struct {
	next http.Handler
	dir  string
	mu   sync.Mutex // one writer at a time: tags move
}

func keepManifests(next http.Handler, dir string) (http.Handler, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	s := &manifestStore{next: next, dir: dir}
	if err := s.restore(); err != nil {
		return nil, fmt.Errorf("registry: read the manifests kept in %s: %w", dir, err)
	}
	return s, nil
}

func isManifestPath(path string) bool {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	return len(parts) >= 4 && parts[len(parts)-2] == "manifests"
}

// file is where the manifest of a request path is kept: one flat file, its name escaped.
func (s *manifestStore) file(path string) string {
	return filepath.Join(s.dir, url.QueryEscape(path)+".json")
}

// ServeHTTP passes every request on and keeps what manifests become.
func (s *manifestStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !isManifestPath(r.URL.Path) || (r.Method != http.MethodPut && r.Method != http.MethodDelete) {
		s.next.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxManifest))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	s.next.ServeHTTP(answer, r)
	if answer.Code < http.StatusMultipleChoices {
		if r.Method == http.MethodDelete {
			err = os.Remove(s.file(r.URL.Path))
		} else {
			err = s.write(storedManifest{r.URL.Path, r.Header.Get("Content-Type"), body})
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	for key, values := range answer.Header() {
		w.Header()[key] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// write replaces the file as a whole, so that a registry that is killed leaves either
// the old manifest or the new.
func (s *manifestStore) write(m storedManifest) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(s.dir, "new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), s.file(m.Path))
}

// restore puts what is kept. Indexes go last, because they are refused before what they
// list is known.
func (s *manifestStore) restore() error {
	files, err := filepath.Glob(filepath.Join(s.dir, "*.json"))
	if err != nil {
		return err
	}
	var images, indexes []storedManifest
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var m storedManifest
		if err := json.Unmarshal(b, &m); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if strings.Contains(m.ContentType, "index") || strings.Contains(m.ContentType, "manifest.list") {
			indexes = append(indexes, m)
		} else {
			images = append(images, m)
		}
	}
	for _, m := range append(images, indexes...) {
		r, err := http.NewRequest(http.MethodPut, (&url.URL{Path: m.Path}).String(), bytes.NewReader(m.Body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", m.ContentType)
		answer := httptest.NewRecorder()
		s.next.ServeHTTP(answer, r)
		if answer.Code != http.StatusCreated {
			return fmt.Errorf("put %s again: status %d: %s", m.Path, answer.Code, answer.Body)
		}
	}
	return nil
}
