// What health checks are told, in one place for every listener and the admin port.
// SPEC: grpc/doc/health-checking.md. `""` says that the process serves and so suits liveness: it never depends on policy or
// bundles. `ready` and the service's own name say that it can decide. All of them end as not serving when a drain begins.

/** The names that are known; any other is unknown, also after a drain. */
export const HEALTH_SERVICES = ["", "envoy.service.auth.v3.Authorization", "ready"] as const;
export type HealthService = (typeof HEALTH_SERVICES)[number];

export interface Health {
  /** Whether decisions can be made: policy active, trust loaded. Starts as false. Ignored once draining. */
  setReady(ready: boolean): void;
  /** Everything is not serving from now on. */
  drain(): void;
  readonly ready: boolean;
  readonly draining: boolean;
  /** Undefined when the service is not known. */
  isServing(service: string): boolean | undefined;
  /** Calls `onChange` after each change of ready or draining, until the returned function is called. It must not throw. */
  subscribe(onChange: () => void): () => void;
}

/** Health that is alive and not ready yet. */
export function createHealth(): Health {
  let ready = false;
  let draining = false;
  const subscribers = new Set<() => void>();
  const notify = () => {
    for (const onChange of [...subscribers]) onChange();
  };
  return {
    setReady: (next) => {
      if (ready === next || draining) return;
      ready = next;
      notify();
    },
    drain: () => {
      if (draining) return;
      draining = true;
      notify();
    },
    get ready() {
      return ready && !draining;
    },
    get draining() {
      return draining;
    },
    isServing: (service) => {
      if (service === "") return !draining;
      return service === "ready" || service === HEALTH_SERVICES[1] ? ready && !draining : undefined;
    },
    subscribe: (onChange) => {
      // An object of its own per subscription, so that one function may subscribe twice.
      const subscriber = () => onChange();
      subscribers.add(subscriber);
      return () => {
        subscribers.delete(subscriber);
      };
    },
  };
}
