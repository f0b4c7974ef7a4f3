// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const askAgain = 200 * time.Millisecond // for a Secret or ConfigMap that is not there yet

// mount writes the container's volumes into its root: Secrets and ConfigMaps as files, as they are now. It waits for
// those that are not there yet.
func (c *Container) mount(ctx context.Context) error {
	for _, mount := range c.spec.VolumeMounts {
		target := filepath.Join(c.root, mount.MountPath)
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		volume, err := c.volume(mount.Name)
		if err != nil {
			return err
		}
		files, err := c.files(ctx, volume)
		if err != nil {
			return err
		}
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(target, name), content, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Container) volume(name string) (*corev1.Volume, error) {
	for i := range c.pod.Spec.Volumes {
		if c.pod.Spec.Volumes[i].Name == name {
			return &c.pod.Spec.Volumes[i], nil
		}
	}
	return nil, fmt.Errorf("container %s: no volume %q", c.spec.Name, name)
}

// files are a volume's, by name.
func (c *Container) files(ctx context.Context, volume *corev1.Volume) (map[string][]byte, error) {
	switch {
	case volume.EmptyDir != nil:
		return nil, nil
	case volume.Secret != nil:
		data, err := c.secret(ctx, volume.Secret.SecretName)
		return chosen(data, volume.Secret.Items), err
	case volume.ConfigMap != nil:
		data, err := c.configMap(ctx, volume.ConfigMap.Name)
		return chosen(data, volume.ConfigMap.Items), err
	}
	return nil, fmt.Errorf("volume %s: only Secrets, ConfigMaps and emptyDir are known here", volume.Name)
}

// chosen are those that `items` names, as it names them; all without items.
func chosen(data map[string][]byte, items []corev1.KeyToPath) map[string][]byte {
	if len(items) == 0 {
		return data
	}
	found := map[string][]byte{}
	for _, item := range items {
		if content, has := data[item.Key]; has {
			found[item.Path] = content
		}
	}
	return found
}

func (c *Container) secret(ctx context.Context, name string) (map[string][]byte, error) {
	return await(ctx, func() (map[string][]byte, error) {
		found, err := c.pod.node.client.CoreV1().Secrets(c.pod.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		return found.Data, nil
	})
}

func (c *Container) configMap(ctx context.Context, name string) (map[string][]byte, error) {
	return await(ctx, func() (map[string][]byte, error) {
		found, err := c.pod.node.client.CoreV1().ConfigMaps(c.pod.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		data := found.BinaryData
		if data == nil {
			data = map[string][]byte{}
		}
		for key, value := range found.Data {
			data[key] = []byte(value)
		}
		return data, nil
	})
}

// await asks until the object is there; the context's end ends it.
func await(ctx context.Context, get func() (map[string][]byte, error)) (map[string][]byte, error) {
	for {
		data, err := get()
		if !errors.IsNotFound(err) {
			return data, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(askAgain):
		}
	}
}

// environment is what the container's env says, as NAME=VALUE.
func (c *Container) environment(ctx context.Context) ([]string, error) {
	var out []string
	for _, variable := range c.spec.Env {
		value, err := c.value(ctx, &variable)
		if err != nil {
			return nil, fmt.Errorf("container %s: env %s: %w", c.spec.Name, variable.Name, err)
		}
		out = append(out, variable.Name+"="+value)
	}
	return out, nil
}

func (c *Container) value(ctx context.Context, variable *corev1.EnvVar) (string, error) {
	from := variable.ValueFrom
	switch {
	case from == nil:
		return variable.Value, nil
	case from.FieldRef != nil:
		return c.field(from.FieldRef.FieldPath)
	case from.SecretKeyRef != nil:
		data, err := c.secret(ctx, from.SecretKeyRef.Name)
		return string(data[from.SecretKeyRef.Key]), err
	case from.ConfigMapKeyRef != nil:
		data, err := c.configMap(ctx, from.ConfigMapKeyRef.Name)
		return string(data[from.ConfigMapKeyRef.Key]), err
	}
	return "", fmt.Errorf("this kind of valueFrom is not known here")
}

func (c *Container) field(path string) (string, error) {
	known := map[string]string{"metadata.name": c.pod.Name, "metadata.namespace": c.pod.Namespace,
		"metadata.uid": string(c.pod.UID), "spec.nodeName": c.pod.node.Name, "status.podIP": c.pod.network.address4,
		"status.hostIP": c.pod.node.Address.String()}
	value, is := known[path]
	if !is {
		return "", fmt.Errorf("fieldPath %q is not known here", path)
	}
	return value, nil
}
