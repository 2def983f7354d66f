package limits

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// ProgressDeadline is in how many seconds a Deployment has to get ahead where it does not
// say so; minReadySeconds has to be less (SetDefaults_Deployment, ValidateDeploymentSpec).
const ProgressDeadline = 600

// DeploymentStrategy is ValidateDeploymentStrategy.
func DeploymentStrategy(report Report, s *appsv1.DeploymentStrategy) {
	OneOf(report.At("type"), s.Type, appsv1.RollingUpdateDeploymentStrategyType, appsv1.RecreateDeploymentStrategyType)
	u, at := s.RollingUpdate, report.At("rollingUpdate")
	if u == nil {
		return
	}
	if s.Type == appsv1.RecreateDeploymentStrategyType {
		at.wrong(nil, "has no use with type Recreate", "remove one (a patch does so with null)")
		return
	}
	fewer, more := Share(at.At("maxUnavailable"), u.MaxUnavailable), amount(at.At("maxSurge"), u.MaxSurge, 0)
	if fewer == 0 && more == 0 {
		at.At("maxUnavailable").wrong(nil, "and maxSurge are both 0, so that no Pod could ever be replaced", "give one of them 1 or more")
	}
}

// StatefulSetStrategy is validateStatefulSetSpec's part of the updates.
func StatefulSetStrategy(report Report, s *appsv1.StatefulSetUpdateStrategy) {
	OneOf(report.At("type"), s.Type, appsv1.RollingUpdateStatefulSetStrategyType, appsv1.OnDeleteStatefulSetStrategyType)
	u, at := s.RollingUpdate, report.At("rollingUpdate")
	if u == nil {
		return
	}
	if s.Type == appsv1.OnDeleteStatefulSetStrategyType {
		at.wrong(nil, "has no use with type OnDelete", "remove one")
	}
	Least(at.At("partition"), u.Partition, 0)
	if Share(at.At("maxUnavailable"), u.MaxUnavailable) == 0 {
		at.At("maxUnavailable").wrong(nil, "is 0, so that no Pod could ever be replaced", "1 or more")
	}
}

// Share demands a number of Pods or a part of them in percent, and returns the number of
// either; -1 where there is none.
func Share(report Report, n *intstr.IntOrString) int { return amount(report, n, 100) }

// amount is Share for what may be more than all; most is the largest percentage, 0 for any.
func amount(report Report, n *intstr.IntOrString, most int) int {
	switch {
	case n == nil:
		return -1
	case n.Type == intstr.Int:
		Least(report, &n.IntVal, 0)
		return int(n.IntVal)
	}
	number, err := strconv.Atoi(strings.TrimSuffix(n.StrVal, "%"))
	if err != nil || len(validation.IsValidPercent(n.StrVal)) > 0 {
		report.wrong(n.StrVal, "is neither a number nor a percentage", "such as 1 or 25%")
		return -1
	}
	if most > 0 && number > most {
		report.wrong(n.StrVal, "is out of range", fmt.Sprintf("%d%% at the most", most))
	}
	return number
}

// SecretValue checks what stands under one of the SecretKeys.
func SecretValue(report Report, key string, value []byte) {
	switch key {
	case corev1.DockerConfigJsonKey, corev1.DockerConfigKey:
		if json.Unmarshal(value, &map[string]any{}) != nil {
			report.wrong(nil, "is not a JSON object", "such as what kubectl create secret docker-registry makes")
		}
	case corev1.SSHAuthPrivateKey:
		needed(report, string(value), "")
	}
}

// SecretKeys are the keys that a Secret's type promises (ValidateSecret).
func SecretKeys(t corev1.SecretType) []string {
	switch t {
	case corev1.SecretTypeTLS:
		return []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey}
	case corev1.SecretTypeDockerConfigJson:
		return []string{corev1.DockerConfigJsonKey}
	case corev1.SecretTypeDockercfg:
		return []string{corev1.DockerConfigKey}
	case corev1.SecretTypeSSHAuth:
		return []string{corev1.SSHAuthPrivateKey}
	}
	return nil
}
