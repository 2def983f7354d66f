package apply

import (
	"errors"
	"testing"
)

// What is wrong in a Secret is said with its key, and without its value.
func TestCheckKeys(t *testing.T) {
	for text, want := range map[string]string{
		"{kind: Secret, metadata: {name: a}, data: {password: hunter2!, other: YQ==}}": "data.password is not base64; encode it, or write it as it is under stringData",
		"{kind: Secret, metadata: {name: a}, stringData: {pin: 1234, enabled: true}}":  "stringData.enabled is true or false, not text; put it in quotes\nstringData.pin is a number, not text; put it in quotes",
		"{kind: ConfigMap, metadata: {name: a}, data: {a.b: 1}}":                       "data[a.b] is a number, not text; put it in quotes",
		"{kind: ConfigMap, metadata: {name: a}, binaryData: {a: x!}}":                  "binaryData.a is not base64; encode it, or write it as it is under data",
		"{kind: Secret, metadata: {name: a}, data: {password: YQ==, empty: null}}":     "",
	} {
		got := ""
		if err := errors.Join(checkStrict(object(t, text))...); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s:\n%s\nwant\n%s", text, got, want)
		}
	}
}
