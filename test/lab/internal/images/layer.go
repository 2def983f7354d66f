package images

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// entry is one file, folder or link of a layer.
type entry struct {
	kind   byte
	mode   int64
	uid    int
	source string // on this machine; empty when the text or link target is given
	text   string
	size   int64
}

// layer is an uncompressed image layer whose bytes are read from this machine's files
// each time they are needed, so that a large program is never held in memory.
type layer struct {
	entries map[string]entry

	once   sync.Once
	digest v1.Hash
	size   int64
	err    error
}

var _ v1.Layer = (*layer)(nil)

func newLayer() *layer { return &layer{entries: map[string]entry{}} }

// add stores an entry under its cleaned path together with the folders above it.
func (l *layer) add(name string, e entry) {
	name = strings.TrimPrefix(path.Clean(name), "/")
	for parent := path.Dir(name); parent != "." && parent != "/"; parent = path.Dir(parent) {
		if _, ok := l.entries[parent]; !ok {
			l.entries[parent] = entry{kind: tar.TypeDir, mode: 0o755}
		}
	}
	l.entries[name] = e
}

// dir adds a folder.
func (l *layer) dir(name string, mode int64, uid int) {
	l.add(name, entry{kind: tar.TypeDir, mode: mode, uid: uid})
}

// text adds a file with the content given.
func (l *layer) text(name, content string, mode int64) {
	l.add(name, entry{kind: tar.TypeReg, mode: mode, text: content, size: int64(len(content))})
}

// link adds a symbolic link.
func (l *layer) link(name, target string) {
	l.add(name, entry{kind: tar.TypeSymlink, mode: 0o777, text: target})
}

// file adds a file of this machine; links are followed.
func (l *layer) file(name, source string, mode int64) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", source)
	}
	l.add(name, entry{kind: tar.TypeReg, mode: mode, source: source, size: info.Size()})
	return nil
}

// writeTo writes the layer as a tar stream. Sorting puts each folder before what it holds.
func (l *layer) writeTo(w io.Writer) error {
	tw := tar.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(l.entries)) {
		e := l.entries[name]
		h := &tar.Header{Typeflag: e.kind, Name: name, Mode: e.mode, Uid: e.uid, Gid: e.uid, Size: e.size, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
		switch e.kind {
		case tar.TypeDir:
			h.Name += "/"
		case tar.TypeSymlink:
			h.Linkname = e.text
		}
		if err := tw.WriteHeader(h); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if e.kind != tar.TypeReg {
			continue
		}
		if err := copyContent(tw, e); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return tw.Close()
}

func copyContent(w io.Writer, e entry) error {
	if e.source == "" {
		_, err := io.WriteString(w, e.text)
		return err
	}
	f, err := os.Open(e.source)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// Uncompressed streams the layer.
func (l *layer) Uncompressed() (io.ReadCloser, error) {
	r, w := io.Pipe()
	go func() { w.CloseWithError(l.writeTo(w)) }()
	return r, nil
}

// Compressed is Uncompressed: the media type says that nothing is compressed.
func (l *layer) Compressed() (io.ReadCloser, error) { return l.Uncompressed() }

func (l *layer) measure() error {
	l.once.Do(func() {
		var r io.ReadCloser
		if r, l.err = l.Uncompressed(); l.err != nil {
			return
		}
		defer r.Close()
		l.digest, l.size, l.err = v1.SHA256(r)
	})
	return l.err
}

// Digest is the hash of the layer's bytes.
func (l *layer) Digest() (v1.Hash, error) { err := l.measure(); return l.digest, err }

// DiffID is Digest, as nothing is compressed.
func (l *layer) DiffID() (v1.Hash, error) { return l.Digest() }

// Size is the number of bytes of the layer.
func (l *layer) Size() (int64, error) { err := l.measure(); return l.size, err }

// MediaType says that the layer is a plain tar stream.
func (l *layer) MediaType() (types.MediaType, error) { return types.OCIUncompressedLayer, nil }

// bytes returns the whole layer; tests look into it.
func (l *layer) bytes() ([]byte, error) {
	var b bytes.Buffer
	err := l.writeTo(&b)
	return b.Bytes(), err
}
