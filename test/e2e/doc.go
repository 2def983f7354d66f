// Package e2e holds the end-to-end tests: the built binaries, through a real
// kubectl, against a real cluster. They carry the build tag "e2e" and take the
// cluster from SVCX_E2E_KUBECONFIG; hack/test.sh sets it.
package e2e
