package client

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestEncodeAs(t *testing.T) {
	for contentType, begins := range map[string]string{
		Protobuf: "k8s\x00", JSON: `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"`,
	} {
		b, err := EncodeAs(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, contentType)
		if err != nil || !strings.HasPrefix(string(b), begins) {
			t.Errorf("%s: %q, %v", contentType, b, err)
		}
	}
	if b, err := EncodeAs(&corev1.ConfigMap{}, "text/plain"); err == nil {
		t.Errorf("as text: %q", b)
	}
}
