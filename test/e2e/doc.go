// Package e2e holds the end-to-end tests: the built binaries, through a real
// kubectl, against a real cluster. They carry the build tag "e2e" and take the
// cluster from SVCX_E2E_KUBECONFIG; SVCX_E2E_LAB names the lab when it is one.
// hack/test.sh sets both.
package e2e
