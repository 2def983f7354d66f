package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"
)

// Stamped by the linker.
var (
	version = "v0.0.0-dev"
	commit  = "unknown"
	date    = "unknown"
)

// versionInfo is what version prints.
type versionInfo struct {
	Client clientVersion `json:"clientVersion"`
	Server string        `json:"serverVersion,omitempty"`
}

type clientVersion struct {
	Version   string `json:"version"`
	Commit    string `json:"commit"`
	Date      string `json:"date"`
	GoVersion string `json:"goVersion"`
	Platform  string `json:"platform"`
}

func newVersionCmd(p *program) *cobra.Command {
	var client bool
	var output string
	cmd := &cobra.Command{
		Use:     "version [flags]",
		Short:   "Print the version of this plugin and of the API server",
		GroupID: groupOther,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "" {
				name, err := oneOf("output", output, "json", "yaml")
				if err != nil {
					return err
				}
				output = name
			}
			return p.runVersion(cmd.Context(), client, output)
		},
	}
	flagGroup(cmd, flagsOutput, func(fs *pflag.FlagSet) {
		fs.BoolVar(&client, "client", false, "Only the plugin's own version; no server is asked")
		fs.StringVarP(&output, "output", "o", "", "The `FORMAT`: json or yaml")
	})
	_ = cmd.RegisterFlagCompletionFunc("output", fixed("json", "yaml"))
	return cmd
}

func (p *program) runVersion(ctx context.Context, client bool, output string) error {
	info := versionInfo{Client: clientVersion{
		Version: version, Commit: commit, Date: date,
		GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}}
	var failed error
	if !client {
		var c cluster
		if c, failed = p.connect(); failed == nil {
			info.Server, failed = c.ServerVersion(ctx)
		}
	}
	if err := info.print(p.Out, output); err != nil {
		return err
	}
	return failed
}

func (v versionInfo) print(w io.Writer, output string) error {
	switch output {
	case "json":
		data, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("writing the version: %w", err)
		}
		return printJSON(w, data)
	case "yaml":
		data, err := yaml.Marshal(v)
		if err != nil {
			return fmt.Errorf("writing the version: %w", err)
		}
		_, err = w.Write(data)
		return err
	}
	fmt.Fprintf(w, "Client Version: %s (commit %s, built %s, %s, %s)\n",
		v.Client.Version, v.Client.Commit, v.Client.Date, v.Client.GoVersion, v.Client.Platform)
	if v.Server != "" {
		fmt.Fprintf(w, "Server Version: %s\n", v.Server)
	}
	return nil
}

// printJSON prints data indented.
func printJSON(w io.Writer, data []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, data, "", "  "); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	_, err := fmt.Fprintln(w, strings.TrimSpace(b.String()))
	return err
}

// userAgent names the plugin to the API server.
func userAgent() string {
	return fmt.Sprintf("kubectl-svcx/%s (%s/%s)", version, runtime.GOOS, runtime.GOARCH)
}

// probeRepository holds the image of the probe Pod, a tag a version.
const probeRepository = "kubectlsvcx/svcx-probe"

// defaultProbeImage is the probe image that belongs to this version. A build
// between releases has no image of its own and takes the newest.
func defaultProbeImage(getenv func(string) string) string {
	if image := getenv("SVCX_PROBE_IMAGE"); image != "" {
		return image
	}
	return probeRepository + ":" + probeTag(version)
}

// probeTag is the tag of the probe image for a version of the plugin.
func probeTag(version string) string {
	if releaseVersion.MatchString(version) {
		return version
	}
	return "latest"
}

// releaseVersion is what the versions of releases look like; such a version is
// a valid image tag too.
var releaseVersion = regexp.MustCompile(`^v\d+\.\d+\.\d+(-(alpha|beta|rc)\.\d+)?$`)
