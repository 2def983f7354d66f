package verify

import (
	"testing"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// Whether a guess was wrong is for the port's own answers to say: the same question to
// another port of the Pods may be answered in a protocol that is known, or not at all.
func TestWrongGuess(t *testing.T) {
	answered := func(exploratory bool, class probe.Class, peer string) answer {
		return answer{
			probe:   probe.Probe{Port: "queue", Check: probe.CheckDNSServer, Network: "tcp", Guessed: true, Exploratory: exploratory},
			outcome: &probe.Outcome{Class: class, Attempts: 1, Facts: map[string]string{"peer": peer}},
		}
	}
	for name, test := range map[string]struct {
		beside answer
		want   probe.Class
	}{
		"nothing beside":                   {answered(false, probe.ClassProtocol, ""), probe.ClassOK},
		"a web server beside":              {answered(true, probe.ClassProtocol, "http"), probe.ClassOK},
		"another protocol on the same":     {answered(false, probe.ClassProtocol, "http"), probe.ClassProtocol},
		"another port speaks the protocol": {answered(true, probe.ClassOK, ""), probe.ClassProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			ev := afterWrongGuess(evidence{answered(false, probe.ClassProtocol, ""), test.beside}, []portView{{key: "queue", guess: fromNumber}})
			if got := ev[0].outcome.Class; got != test.want {
				t.Errorf("class %s, want %s", got, test.want)
			}
		})
	}
}
