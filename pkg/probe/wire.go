package probe

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// The in-cluster prober gets its list through environment variables
// EnvPrefix0, EnvPrefix1, … that each hold a part of the base64 text of the
// gzipped JSON list, and writes a line of JSON for each Outcome and one End.
const (
	// EnvPrefix starts the names of the variables that hold a probe list.
	EnvPrefix = "SVCX_PROBES_"
	// envChunk keeps each variable well below the 128 KiB that Linux allows one.
	envChunk = 96 << 10
	// MaxEncoded bounds an encoded list: an object of the cluster that holds it
	// has to stay below 1.5 MiB.
	MaxEncoded = 1 << 20
	// maxList bounds a list when decoded.
	maxList = 64 << 20
)

// Hello is the first line of a prober's output, by which it is known for one.
type Hello struct {
	Prober  string `json:"prober"` // ProberName
	Version string `json:"version,omitempty"`
}

// ProberName is what Hello.Prober says.
const ProberName = "svcx-probe"

// ErrNoProber says that an output is not a prober's.
var ErrNoProber = errors.New("this is no output of svcx-probe")

// End is the last line of a prober's output; without it the output is cut off.
type End struct {
	End     bool   `json:"end"`
	Count   int    `json:"count"`
	Version string `json:"version,omitempty"`
	// Seconds is how long asking took.
	Seconds float64 `json:"seconds,omitempty"`
	Error   string  `json:"error,omitempty"`
}

// Encode returns the environment variables that carry a probe list, in order,
// as name and value pairs.
func Encode(probes []Probe) ([][2]string, error) {
	var buf bytes.Buffer
	enc := base64.NewEncoder(base64.StdEncoding, &buf)
	zip := gzip.NewWriter(enc)
	if err := json.NewEncoder(zip).Encode(probes); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	if buf.Len() > MaxEncoded {
		return nil, fmt.Errorf("%d probes are too many for one probe Pod", len(probes))
	}
	var vars [][2]string
	text := buf.String()
	for i := 0; len(text) > 0; i++ {
		n := min(envChunk, len(text))
		vars = append(vars, [2]string{EnvPrefix + strconv.Itoa(i), text[:n]})
		text = text[n:]
	}
	return vars, nil
}

// Decode is the reverse of Encode; getenv reads a variable.
func Decode(getenv func(string) string) ([]Probe, error) {
	var text bytes.Buffer
	for i := 0; ; i++ {
		part := getenv(EnvPrefix + strconv.Itoa(i))
		if part == "" {
			break
		}
		text.WriteString(part)
	}
	if text.Len() == 0 {
		return nil, fmt.Errorf("no probe list: %s0 is not set", EnvPrefix)
	}
	zip, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, &text))
	if err != nil {
		return nil, fmt.Errorf("reading the probe list: %w", err)
	}
	var probes []Probe
	if err := json.NewDecoder(io.LimitReader(zip, maxList)).Decode(&probes); err != nil {
		return nil, fmt.Errorf("reading the probe list: %w", err)
	}
	return probes, nil
}

// ReadOutcomes reads a prober's output line by line, calls emit for each
// Outcome and returns the End line. The first line has to be a Hello, or the
// error is ErrNoProber; later lines that are none of ours are ignored. Every
// text is made printable again: the output came through a container's log.
func ReadOutcomes(r io.Reader, emit func(Outcome)) (End, error) {
	in := bufio.NewReaderSize(r, 16<<10)
	var hello Hello
	first, err := readLine(in)
	if err != nil && !errors.Is(err, io.EOF) {
		return End{}, err
	}
	if json.Unmarshal(first, &hello) != nil || hello.Prober != ProberName {
		return End{}, fmt.Errorf("%w, it begins with %s", ErrNoProber, firstBytes(first))
	}
	for {
		line, err := readLine(in)
		if len(line) > 0 {
			if end, ok := readOne(line, emit); ok {
				return end, nil
			}
		}
		if errors.Is(err, io.EOF) {
			return End{}, io.ErrUnexpectedEOF
		}
		if err != nil {
			return End{}, err
		}
	}
}

// readLine returns one line of at most 64 KiB; the rest of a longer one is dropped.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) <= maxAnswer {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSpace(line), err
		}
	}
}

func readOne(line []byte, emit func(Outcome)) (End, bool) {
	var end End
	if json.Unmarshal(line, &end) == nil && end.End {
		end.Version, end.Error = Printable(end.Version, 64), Printable(end.Error, MaxDetail)
		return end, true
	}
	var out Outcome
	if json.Unmarshal(line, &out) != nil || out.Probe == "" {
		return End{}, false
	}
	emit(clean(out))
	return End{}, false
}

func clean(out Outcome) Outcome {
	out.Class = Class(Printable(string(out.Class), 32))
	out.Detail = Printable(out.Detail, MaxDetail)
	backends := map[string]int{}
	for k, n := range out.Backends {
		backends[Printable(k, 128)] += n
	}
	if len(backends) > 0 {
		out.Backends = backends
	}
	if len(out.Resolved) > maxResolved {
		out.Resolved = out.Resolved[:maxResolved]
	}
	for i, s := range out.Resolved {
		out.Resolved[i] = Printable(s, 64)
	}
	facts := map[string]string{}
	for k, v := range out.Facts {
		facts[Printable(k, 64)] = Printable(v, MaxDetail)
	}
	if len(facts) > 0 {
		out.Facts = facts
	}
	return out
}
