package cli

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
)

var portPattern = regexp.MustCompile(`^([^:/]+)(?::([^:/]+))?(?:/([^:/]+))?$`)

// parsePort reads PORT[:TARGETPORT][/PROTOCOL].
func parsePort(s string) (generate.ServicePort, error) {
	m := portPattern.FindStringSubmatch(s)
	if m == nil {
		return generate.ServicePort{}, withHints(fmt.Errorf("--port: %q is not a port", s), "PORT[:TARGETPORT][/PROTOCOL], such as 6379, 80:8080 or 53/UDP")
	}
	out := generate.ServicePort{Protocol: corev1.Protocol(strings.ToUpper(m[3]))}
	var err error
	if out.Port, err = portNumber("--port", m[1]); err != nil {
		return out, err
	}
	if m[2] != "" {
		if out.TargetPort, err = targetPort(m[2]); err != nil {
			return out, err
		}
	}
	if m[3] != "" {
		p, err := oneOf("port", m[3], "TCP", "UDP", "SCTP")
		if err != nil {
			return out, err
		}
		out.Protocol = corev1.Protocol(p)
	}
	return out, nil
}

// targetPort reads the container's port: its number, or the name of one of the
// workload's ports.
func targetPort(s string) (intstr.IntOrString, error) {
	if len(validation.IsValidPortName(s)) == 0 {
		return intstr.FromString(s), nil
	}
	n, err := portNumber("--port", s)
	return intstr.FromInt32(n), err
}

func portNumber(flag, s string) (int32, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if errors.Is(err, strconv.ErrSyntax) {
		return 0, withHints(fmt.Errorf("%s: %q is not a number", flag, s), "a port is a number from 1 to 65535")
	}
	if err != nil || n < 1 || n > 65535 {
		return 0, portRange(flag, s)
	}
	return int32(n), nil
}

func portRange(flag, s string) error {
	return withHints(fmt.Errorf("%s: %s is out of range", flag, s), "a port is a number from 1 to 65535")
}
