package verify

import (
	"bytes"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestBalancerTimes: of managed fields only the moments stay at which the type
// and the addresses were set.
func TestBalancerTimes(t *testing.T) {
	at := func(minute int) *metav1.Time {
		m := metav1.NewTime(time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC))
		return &m
	}
	svc := &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer}}
	svc.ManagedFields = []metav1.ManagedFieldsEntry{
		{Manager: "kubectl", Time: at(1), FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:ports":{},"f:type":{}}}`)},
		{Manager: "labeller", Time: at(2), FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{}}}`)},
		{Manager: "cloud", Time: at(3), FieldsV1: metav1.NewFieldsV1(`{"f:status":{"f:loadBalancer":{"f:ingress":{}}}}`)},
		{Manager: "no time", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:type":{}}}`)},
		{Manager: "no JSON", Time: at(4), FieldsV1: metav1.NewFieldsV1(`{`)},
	}
	got := balancerTimes(svc)
	if len(got) != 2 || !got[0].Time.Equal(at(1)) || !got[1].Time.Equal(at(3)) || got[0].Manager != "" || got[0].FieldsV1 != nil {
		t.Errorf("%+v, want minutes 1 and 3 and nothing else", got)
	}
	if svc.Spec.Type = corev1.ServiceTypeClusterIP; balancerTimes(svc) != nil {
		t.Error("a Service that is no load balancer keeps managed fields")
	}
}

// TestARecordingKeepsBalancerTimes: it is judged as the run was that it is of.
func TestARecordingKeepsBalancerTimes(t *testing.T) {
	s := (&judgeCase{}).snapshot(t)
	s.Services[0].Spec.Type = corev1.ServiceTypeLoadBalancer
	since := metav1.NewTime(s.Taken.Add(-10 * time.Second))
	s.Services[0].ManagedFields = []metav1.ManagedFieldsEntry{{Time: &since}}
	var file bytes.Buffer
	if err := WriteRecordings(&file, []*Recording{{Snapshot: *s}}); err != nil {
		t.Fatal(err)
	}
	all, err := ReadRecordings(&file)
	if err != nil {
		t.Fatal(err)
	}
	if v := all[0].Judge(); v.State != StateNotProven {
		t.Errorf("%s, want not proven: it is a load balancer since ten seconds", v.State)
	}
}
