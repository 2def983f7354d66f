package cli

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// The flags that say how to ask are the same for every verb that does.
func TestProbeFlagsReachTheVerification(t *testing.T) {
	inFolder(t, map[string]string{"tree/kustomization.yaml": "resources: [service.yaml]\n", "tree/service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: redis}\nspec: {ports: [{port: 80}]}\n"})
	for _, verb := range []string{"verify redis", up, "apply -k tree --verify"} {
		fake := &fakeCluster{}
		r := runWith(t, t.Context(), fake, nil, append(strings.Fields(verb), "--check=web=http", "--check=tcp", `--send=a\r\n\x00"`, "--expect=b", "--tls",
			"--from=shop/deploy/web", "--auth-secret=login/pw", "--auth-user-key=who", "--auth-from-here")...)
		o := fake.options
		if r.code == exitError || o.From == nil || *o.From != (verify.From{Namespace: "shop", Kind: "Deployment", Name: "web"}) || !o.InCluster ||
			o.Send != "a\r\n\x00\"" || o.Expect != "b" || !o.TLS || o.Checks.Every.Check != probe.CheckTCP || o.Checks.Ports["web"].Check != probe.CheckHTTP ||
			*o.Auth != (verify.Auth{Secret: "login", PasswordKey: "pw", UserKey: "who", Here: true}) {
			t.Errorf("%s: exit %d, %s, options %+v", verb, r.code, r.err, o)
		}
	}
}

func TestProbeFlagsThatDoNotFit(t *testing.T) {
	inFolder(t, map[string]string{"text": "no program\n"})
	for args, want := range map[string]string{
		"--check=htp":                                 "did you mean http",
		"--check=http --check=tcp":                    "one check for every port is enough",
		`--send=\q`:                                   "--send",
		"--ephemeral":                                 "--from is missing",
		"--from=nodes --ephemeral":                    "nodes have no containers",
		"--from=pod/a --ephemeral --watch":            "each time would leave a container",
		"--from=web":                                  "is no client",
		"--probe-via=magic":                           "one of image, stream",
		"--probe-binary=text":                         "with --probe-via=stream only",
		"--probe-via=stream --probe-binary=text":      "text is no program for Linux",
		"--probe-via=stream --probe-binary=none":      "none",
		"--probe-via=stream --from=pod/a --ephemeral": "leave one of the two out",
		"--auth-user=a":                               "--auth-secret",
		"--auth-secret=a/":                            "NAME or NAME/KEY",
		"-R":                                          "-f is missing",
		"-f text -k .":                                "come from -k already",
		"-f none":                                     "none",
		"-f -":                                        "is empty",
		"-f .":                                        "no file that ends in",
		"--from=pod/a --ephemeral --yes=x":            "true or false",
	} {
		fake := &fakeCluster{}
		r := runWith(t, t.Context(), fake, func(p *program) { p.In = strings.NewReader("") }, append([]string{"verify"}, strings.Fields(args)...)...)
		if r.code != exitError || !strings.Contains(r.err, want) || len(fake.calls) > 0 {
			t.Errorf("%s: exit %d, asked %v, want %q in\n%s", args, r.code, fake.calls, want, r.err)
		}
	}
}

// A container that nobody can remove takes consent.
func TestEphemeralTakesConsent(t *testing.T) {
	args := []string{"verify", "redis", "--from=deploy/web", "--ephemeral"}
	fake := &fakeCluster{}
	r := runWith(t, t.Context(), fake, nil, args...)
	if r.code != exitError || len(fake.calls) > 0 {
		t.Errorf("exit %d, asked %v", r.code, fake.calls)
	}
	wants(t, "stderr", r.err, "stays in its spec until the Pod is deleted", "nothing was added", "--yes")
	runWith(t, t.Context(), fake, nil, append(args, "--yes")...)
	if fake.options.From == nil || !fake.options.From.Ephemeral {
		t.Errorf("options %+v", fake.options)
	}
	for answer, asked := range map[string]bool{"y\n": true, "\n": false} {
		fake := &fakeCluster{}
		r := runWith(t, t.Context(), fake, func(p *program) {
			p.In = strings.NewReader(answer)
			p.screen.inTerminal, p.screen.errTerminal = true, true
		}, args...)
		wants(t, "stderr", r.err, "Go on? [y/N]")
		if (len(fake.calls) > 0) != asked {
			t.Errorf("answer %q: asked %v", answer, fake.calls)
		}
	}
}

func TestProbersAreForNodes(t *testing.T) {
	dir := t.TempDir()
	// program writes the header of a program for Linux.
	program := func(name string, machine elf.Machine, segment elf.ProgType) string {
		const headerSize, segmentSize = 64, 56
		var b bytes.Buffer
		for _, part := range []any{
			elf.Header64{
				Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
				Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
				Phoff: headerSize, Ehsize: headerSize, Phentsize: segmentSize, Phnum: 1,
			},
			elf.Prog64{Type: uint32(segment)},
		} {
			if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	amd, arm := program("amd", elf.EM_X86_64, elf.PT_LOAD), program("arm", elf.EM_AARCH64, elf.PT_LOAD)
	list, err := findProbers([]string{amd, arm, amd})
	if err != nil || len(list) != 2 || list[0].Arch != "amd64" || list[1].Arch != "arm64" || list[0].Size == 0 {
		t.Errorf("%+v, %v", list, err)
	}
	for path, want := range map[string]string{
		program("dynamic", elf.EM_X86_64, elf.PT_INTERP): "build it with CGO_ENABLED=0",
		program("other", elf.EM_68K, elf.PT_LOAD):        "EM_68K",
		filepath.Join(dir, "absent"):                     "no such file",
	} {
		if _, err := findProbers([]string{path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", filepath.Base(path), err, want)
		}
	}
	// Beside this test there is none.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if list, err := findProbers(nil); err == nil || !strings.Contains(err.Error(), filepath.Dir(self)) {
		t.Errorf("%+v, %v", list, err)
	}
}

// -f names Services as -k does, and what they should be like.
func TestVerifyManifests(t *testing.T) {
	svc := func(name, namespace string) string {
		return "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + ", namespace: " + namespace + "}\nspec: {ports: [{port: 80}]}\n"
	}
	inFolder(t, map[string]string{"m/a.yaml": svc("a", "one") + "---\n" + svc("b", "two"), "m/notes.txt": "not this", "m/in/c.yml": svc("c", "one")})
	for args, want := range map[string]string{
		"-f m":          `[{"Namespace":"one","Names":["a"]},{"Namespace":"two","Names":["b"]}]`,
		"-f m -R":       `[{"Namespace":"one","Names":["a","c"]},{"Namespace":"two","Names":["b"]}]`,
		"-f m/a.yaml b": `[{"Namespace":"two","Names":["b"]}]`,
		"-f -":          `[{"Namespace":"three","Names":["d"]}]`,
	} {
		fake := &fakeCluster{}
		r := runWith(t, t.Context(), fake, func(p *program) { p.In = strings.NewReader(svc("d", "three")) }, append([]string{"verify"}, strings.Fields(args)...)...)
		type target struct {
			Namespace string
			Names     []string
		}
		var got []target
		for _, at := range fake.targets {
			got = append(got, target{at.Namespace, at.Names})
		}
		if text := toJSON(t, got); text != want || len(fake.options.Expected) == 0 {
			t.Errorf("%s: exit %d, %s, targets %s, want %s", args, r.code, r.err, text, want)
		}
	}
}
