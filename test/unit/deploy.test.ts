// The files for deployment, as far as they can be tested without a container engine: they parse, every path, port, flag and probe in
// them leads somewhere, and what the image would hold is laid out and run.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, normalize } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { parse, parseAllDocuments } from "yaml";
import { packageRoot } from "../../src/base/package-root.ts";
import { parseArguments } from "../../src/cli/arguments.ts";
import { serve } from "../../src/cli/serve.ts";
import { loadConfig } from "../../src/config/load.ts";
import { resolveSettings, type Settings } from "../../src/config/settings.ts";

const root = packageRoot();
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const run = promisify(execFile);

/** The settings that these words of `svidgate serve` lead to. */
function settingsOf(words: readonly string[]): Settings {
  const [command, ...rest] = words;
  assert.equal(command, "serve");
  const parsed = parseArguments(serve, rest);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const loaded = loadConfig({ flags: parsed.args.config, set: parsed.args.set, env: {} });
  assert.ok(loaded.ok, JSON.stringify(loaded));
  const resolved = resolveSettings(loaded.config, loaded.given);
  assert.ok(resolved.ok, JSON.stringify(resolved));
  return resolved.settings;
}

/** One instruction of a Dockerfile; continued lines are joined, comments left out. */
interface Instruction {
  readonly name: string;
  readonly rest: string;
}
const stages = read("deploy/Dockerfile")
  .replace(/^#.*\n/gm, "")
  .replace(/\\\n\s*/g, " ")
  .split("\n")
  .filter((line) => line.trim() !== "")
  .map(
    (line): Instruction => ({ name: line.slice(0, line.indexOf(" ")), rest: line.slice(line.indexOf(" ") + 1).trim() }),
  )
  .reduce<Instruction[][]>((all, instruction) => {
    if (instruction.name === "FROM") all.push([]);
    all.at(-1)?.push(instruction);
    return all;
  }, []);
const [buildStage = [], image = []] = stages;
const only = (name: string): string => {
  const found = image.filter((instruction) => instruction.name === name);
  assert.equal(found.length, 1, `the image has one ${name}`);
  return found[0]?.rest ?? "";
};
const copies = (
  stage: readonly Instruction[],
): readonly { from: string | undefined; sources: string[]; to: string }[] =>
  stage
    .filter(({ name }) => name === "COPY")
    .map(({ rest }) => {
      const words = rest.split(/\s+/);
      const from = /^--from=(\w+)$/.exec(words[0] ?? "")?.[1];
      const paths = from === undefined ? words : words.slice(1);
      return { from, sources: paths.slice(0, -1), to: paths.at(-1) ?? "" };
    });
const command = JSON.parse(only("CMD")) as readonly string[];

describe("deploy/Dockerfile", () => {
  it("builds in one stage and runs in another, both on one pinned Node", () => {
    assert.equal(stages.length, 2);
    const bases = stages.map((stage) => stage[0]?.rest.split(" ")[0] ?? "");
    assert.equal(new Set(bases).size, 1);
    assert.match(bases[0] ?? "", /^node:24\.\d+\.\d+-\w+-slim$/);
  });

  it("copies only what is there and what the build may see", () => {
    const allowed = read("deploy/Dockerfile.dockerignore")
      .split("\n")
      .filter((line) => line.startsWith("!"));
    const visible = allowed.map((line) => line.slice(1));
    const sources = [...copies(buildStage), ...copies(image)].filter(({ from }) => from === undefined);
    for (const source of sources.flatMap((copy) => copy.sources)) {
      assert.ok(existsSync(join(root, source)), `${source} is not there`);
      assert.ok(visible.includes(source), `${source} is hidden by deploy/Dockerfile.dockerignore`);
    }
    for (const path of visible) assert.ok(existsSync(join(root, path)), `${path} is not there`);
  });

  it("runs as a numbered user that is not root, without a shell", () => {
    assert.match(only("USER"), /^[1-9]\d*:[1-9]\d*$/);
    assert.deepEqual(
      image.filter(({ name }) => ["RUN", "ADD", "SHELL"].includes(name)),
      [],
    );
    for (const text of [only("ENTRYPOINT"), only("CMD"), only("HEALTHCHECK").replace(/^.* CMD /, "")]) {
      assert.ok(Array.isArray(JSON.parse(text)), `${text} is not in the form that needs no shell`);
    }
  });

  it("installs no script's work and no development package", () => {
    for (const { rest } of buildStage.filter(({ name }) => name === "RUN")) {
      for (const [install] of rest.matchAll(/npm (ci|install)[^&]*/g)) assert.match(install, /--ignore-scripts/);
    }
    assert.match(buildStage.at(-1)?.rest ?? "", /npm ci --omit=dev --ignore-scripts$/);
  });

  it("serves with flags that svidgate takes, and looks after its own admin port", () => {
    const settings = settingsOf(command);
    assert.equal(settings.listen, "unix:/run/svidgate/ext_authz.sock");
    assert.equal(only("EXPOSE"), settings.admin.split(":")[1]);
    assert.match(only("HEALTHCHECK"), new RegExp(`fetch\\('http://127\\.0\\.0\\.1:${only("EXPOSE")}/readyz'\\)`));
  });

  it("holds everything that check, build and serve need", async () => {
    const folder = await mkdtemp(join(tmpdir(), "svidgate-image-"));
    after(() => rm(folder, { recursive: true, force: true }));
    for (const { from, sources, to } of copies(image)) {
      for (const source of sources) {
        const target =
          sources.length > 1 || to.endsWith("/") ? join(folder, to, source.split("/").at(-1) ?? "") : join(folder, to);
        await mkdir(dirname(target), { recursive: true });
        if (from === undefined) await cp(join(root, source), target, { recursive: true });
        else if (source === "/build/dist/src")
          await cp(fileURLToPath(new URL("../../src", import.meta.url)), target, { recursive: true });
        else {
          assert.equal(source, "/build/node_modules");
          await symlink(join(root, "node_modules"), target);
        }
      }
    }
    const [node, program] = JSON.parse(only("ENTRYPOINT")) as [string, string];
    assert.deepEqual([node, dirname(dirname(program))], ["node", only("WORKDIR")]);
    const policy = join(root, "deploy", "compose", "policy");
    const svidgate = (...words: readonly string[]): Promise<{ stdout: string }> =>
      run(process.execPath, ["--preserve-symlinks", join(folder, "bin", "svidgate.js"), ...words], {
        cwd: folder,
        env: {},
      });
    assert.match((await svidgate("check", "--policy", policy, "--path", "/public/x")).stdout, /policy_allowed/);
    await svidgate("build", "--policy", policy, "--output", join(folder, "bundle.tar.gz"));
    assert.ok(statSync(join(folder, "bundle.tar.gz")).size > 1_000);
  });
});

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly command?: readonly string[];
  readonly user?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly volumes?: readonly string[];
  readonly networks?: readonly string[];
  readonly ports?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly environment?: Readonly<Record<string, string>>;
}
const compose = parse(read("docker-compose.yml"), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, unknown>>;
  readonly volumes: Readonly<Record<string, { readonly driver_opts?: { readonly o: string } } | null>>;
};
const mountsOf = (service: Service | undefined): readonly { source: string; target: string; readOnly: boolean }[] =>
  (service?.volumes ?? []).map((volume) => {
    const [source = "", target = "", mode] = volume.split(":");
    return { source, target, readOnly: mode === "ro" };
  });
/** Which file of the repository stands at a path inside a service. */
const fileAt = (service: string, path: string): string | undefined => {
  const mount = mountsOf(compose.services[service]).find(
    ({ target }) => path === target || path.startsWith(`${target}/`),
  );
  return mount === undefined ? undefined : normalize(`${mount.source}${path.slice(mount.target.length)}`);
};

describe("docker-compose.yml", () => {
  for (const [name, service] of Object.entries(compose.services)) {
    it(`${name} is locked down, pinned, healthy when it is, and mounts only what is there`, () => {
      assert.equal(service.read_only, true);
      assert.deepEqual(service.cap_drop, ["ALL"]);
      assert.deepEqual(service.security_opt, ["no-new-privileges:true"]);
      if (service.build === undefined) assert.match(service.image ?? "", /:v?\d+\.\d+\.\d+/);
      else assert.ok(existsSync(join(root, service.build.context, service.build.dockerfile)));
      if (service.build === undefined) assert.ok((service.healthcheck?.test.length ?? 0) > 1);
      for (const { source, readOnly } of mountsOf(service)) {
        if (!source.startsWith(".")) assert.ok(source in compose.volumes, `${source} is no volume`);
        else {
          assert.ok(existsSync(join(root, source)), `${source} is not there`);
          assert.ok(readOnly, `${source} can be written`);
        }
      }
      for (const network of service.networks ?? []) assert.ok(network in compose.networks, network);
      for (const port of service.ports ?? []) assert.match(port, /^127\.0\.0\.1:(\d+):\1$/);
      for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
        assert.ok(other in compose.services);
        assert.equal(condition, "service_healthy");
      }
    });
  }

  it("gives Envoy and svidgate one socket folder that both may use", () => {
    const { svidgate, envoy } = compose.services;
    const settings = settingsOf(svidgate?.command ?? command);
    const socket = settings.listen.replace("unix:", "");
    assert.equal(fileAt("svidgate", dirname(socket)), "socket");
    assert.equal(fileAt("envoy", dirname(socket)), "socket");
    assert.ok(read(fileAt("envoy", "/etc/envoy/envoy.yaml") ?? "").includes(`{ path: ${socket} }`));
    assert.equal(envoy?.user, only("USER"));
    assert.match(
      compose.volumes["socket"]?.driver_opts?.o ?? "",
      new RegExp(`uid=${only("USER").replace(":", ",gid=")}`),
    );
    for (const path of settings.policyPaths) assert.ok(existsSync(join(root, fileAt("svidgate", path) ?? "missing")));
  });

  it("has Prometheus scrape ports that are listened on, and load the alerts", () => {
    const [, config = ""] = /--config\.file=(\S+)/.exec(compose.services["prometheus"]?.command?.join(" ") ?? "") ?? [];
    const prometheus = parse(read(fileAt("prometheus", config) ?? "")) as {
      rule_files: string[];
      scrape_configs: { job_name: string; metrics_path?: string; static_configs: { targets: string[] }[] }[];
    };
    assert.deepEqual(
      prometheus.rule_files.map((file) => fileAt("prometheus", file)),
      ["deploy/prometheus/alerts.yaml"],
    );
    const targets = prometheus.scrape_configs.flatMap((job) => job.static_configs.flatMap((config) => config.targets));
    assert.deepEqual(targets, [`svidgate:${only("EXPOSE")}`, "envoy:9902"]);
    const envoy = read("deploy/compose/envoy.yaml");
    assert.match(envoy, /address: 0\.0\.0\.0, port_value: 9902/);
    for (const { metrics_path: path } of prometheus.scrape_configs) {
      if (path !== undefined) assert.ok(envoy.includes(`path: ${path} }`), path);
    }
    const sharing = (a: string, b: string): boolean =>
      (compose.services[a]?.networks ?? []).some((network) => compose.services[b]?.networks?.includes(network));
    assert.ok(sharing("prometheus", "svidgate") && sharing("prometheus", "envoy") && sharing("grafana", "prometheus"));
    assert.ok(!sharing("upstream", "svidgate"));
  });

  it("has Grafana find its data source and the dashboard", () => {
    const provisioning = fileAt("grafana", "/etc/grafana/provisioning") ?? "";
    const sources = parse(read(join(provisioning, "datasources/prometheus.yaml"))) as {
      datasources: { url: string }[];
    };
    assert.equal(sources.datasources[0]?.url, "http://prometheus:9090");
    const boards = parse(read(join(provisioning, "dashboards/svidgate.yaml"))) as {
      providers: { options: { path: string } }[];
    };
    const folder = boards.providers[0]?.options.path ?? "";
    assert.equal(fileAt("grafana", `${folder}/svidgate.json`), "deploy/grafana/svidgate.json");
    const home = compose.services["grafana"]?.environment?.["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] ?? "";
    assert.equal(fileAt("grafana", home), "deploy/grafana/svidgate.json");
  });
});

interface Container {
  readonly name: string;
  readonly args?: readonly string[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly [probe: `${string}Probe`]: {
    readonly httpGet?: { path: string; port: string };
    readonly tcpSocket?: { port: string };
  };
}

interface Pod {
  readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
  readonly spec: {
    readonly serviceAccountName: string;
    readonly terminationGracePeriodSeconds: number;
    readonly securityContext: { readonly runAsNonRoot: boolean; readonly runAsUser: number };
    readonly initContainers?: readonly Container[];
    readonly containers: readonly Container[];
    readonly volumes: readonly { readonly name: string; readonly csi?: { readonly driver: string } }[];
  };
}
/** The pod of a manifest's Deployment, and what else the manifest has. */
function manifest(path: string): {
  readonly pod: Pod;
  readonly service: { spec: { ports: { port: number }[] } } | undefined;
} {
  const parts = parseAllDocuments(read(path)).map((document) => document.toJS() as { kind: string; spec: unknown });
  const deployment = parts.find(({ kind }) => kind === "Deployment")?.spec as { template: Pod };
  return { pod: deployment.template, service: parts.find(({ kind }) => kind === "Service") as never };
}

for (const name of ["sidecar", "shared"]) {
  describe(`deploy/kubernetes/${name}.yaml`, () => {
    const { pod, service } = manifest(`deploy/kubernetes/${name}.yaml`);
    const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
    const svidgate = containers.find((container) => container.name === "svidgate");
    const words = (svidgate?.args ?? []).flatMap((word) =>
      word.startsWith("--") ? word.split(/=(.*)/).slice(0, 2) : [word],
    );
    const settings = settingsOf(words);

    it("runs nothing as root, lets nothing write, and drops every capability", () => {
      assert.equal(pod.spec.securityContext.runAsNonRoot, true);
      assert.equal(`${pod.spec.securityContext.runAsUser}`, only("USER").split(":")[0]);
      for (const { securityContext } of containers) {
        assert.deepEqual(securityContext, {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
      }
    });

    it("mounts volumes that are declared, and probes ports and paths that answer", () => {
      const volumes = pod.spec.volumes.map((volume) => volume.name);
      const mounted = new Set<string>();
      for (const container of containers) {
        for (const mount of container.volumeMounts ?? []) {
          assert.ok(volumes.includes(mount.name), `${container.name}: ${mount.name}`);
          mounted.add(mount.name);
        }
        const ports = (container.ports ?? []).map((port) => port.name);
        for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"] as const) {
          const { httpGet, tcpSocket } = container[probe] ?? {};
          const port = httpGet?.port ?? tcpSocket?.port;
          if (port !== undefined) assert.ok(ports.includes(port), `${container.name}: ${port}`);
          if (httpGet !== undefined) assert.ok(["/livez", "/readyz"].includes(httpGet.path));
        }
      }
      assert.deepEqual([...mounted].sort(), [...volumes].sort());
    });

    it("gets identities from SPIRE's CSI volume, and every file that svidgate reads from a volume", () => {
      const spire = pod.spec.volumes.find((volume) => volume.csi !== undefined);
      assert.equal(spire?.csi?.driver, "csi.spiffe.io");
      const mountOf = (path: string) =>
        svidgate?.volumeMounts?.find(({ mountPath }) => path === mountPath || path.startsWith(`${mountPath}/`));
      assert.equal(mountOf((settings.workloadApi ?? "").replace("unix://", ""))?.name, spire?.name);
      assert.ok(settings.hasTrustBundles && settings.denyList !== undefined);
      for (const path of [...settings.policyPaths, settings.denyList]) assert.ok(mountOf(path), path);
      assert.notEqual(pod.spec.serviceAccountName, "default");
    });

    it("has time to drain, and its admin port where Prometheus looks", () => {
      const adminPort = settings.admin.split(":")[1];
      assert.ok(svidgate?.ports?.some(({ containerPort }) => `${containerPort}` === adminPort));
      assert.equal(pod.metadata.annotations["prometheus.io/port"], adminPort);
      const drainMs = settings.lameDuckMs + settings.graceMs;
      assert.ok(pod.spec.terminationGracePeriodSeconds * 1_000 >= drainMs + 5_000);
    });

    if (name === "sidecar") {
      it("serves where Envoy's configuration looks, and both ask one agent", () => {
        const envoy = read("envoy/spire-sidecar.yaml");
        assert.ok(envoy.includes(`path: ${settings.listen.replace("unix:", "")}`));
        assert.ok(envoy.includes(`path: ${(settings.workloadApi ?? "").replace("unix://", "")}`));
        assert.ok(read("deploy/kubernetes/sidecar.yaml").includes("--from-file=envoy.yaml=envoy/spire-sidecar.yaml"));
      });
    } else {
      it("serves on the Service's port, over mTLS, whom it lists", () => {
        assert.equal(`${service?.spec.ports[0]?.port}`, settings.listen.split(":")[1]);
        assert.equal(settings.config.tlsSource, "workload_api");
        assert.ok(settings.config.tlsClientSpiffeIds.length > 0);
      });
    }
  });
}

it("every file below deploy/ is named by a document, another file of deploy/, or the compose file", async () => {
  const { stdout } = await run("git", ["ls-files", "deploy"], { cwd: root }).catch(() => ({ stdout: "" }));
  const documents = ["docs/operations.md", "docker-compose.yml", "deploy/Dockerfile", "deploy/prometheus/alerts.yaml"];
  const text = (await Promise.all(documents.map((path) => readFile(join(root, path), "utf8")))).join("\n");
  for (const path of stdout.trim().split("\n").filter(Boolean)) {
    const folders = path.split("/").map((_, at, parts) => parts.slice(0, at + 1).join("/"));
    const named = folders.slice(1).some((folder) => folder !== "deploy/compose" && text.includes(folder));
    assert.ok(named || path.endsWith(".dockerignore"), `${path} is named nowhere`);
  }
});
