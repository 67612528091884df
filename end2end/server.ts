// Playwright's global set-up: serves the demo from a data folder of its own, and signs in once.
import { chromium, type FullConfig } from '@playwright/test';
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { binary, root } from './flowengine';
import { freePort } from './free-port';
import { serveNames } from './name-server';

const START_SECONDS = 90;

export default async function serve(config: FullConfig): Promise<() => Promise<void>> {
  const { baseURL, storageState, launchOptions } = config.projects[0].use;
  const data = mkdtempSync(join(tmpdir(), 'flowengine-e2e-'));
  chmodSync(data, 0o711); // started as root, the server runs its PostgreSQL as somebody else

  const results = join(import.meta.dirname, 'test-results');
  mkdirSync(results, { recursive: true });
  const logFile = join(results, 'server.log');
  const log = createWriteStream(logFile);

  const names = await serveNames();
  const smtp = await freePort();
  // For this server, and for the tests: their processes inherit it.
  Object.assign(process.env, {
    // Empty rather than unset, so that a developer's .env does not lend the tests a real database.
    DATABASE_URL: '',
    DATA_DIR: data,
    SMTP_LISTEN: `127.0.0.1:${smtp}`,
    E2E_SMTP_PORT: String(smtp),
    MAIL_DNS: `127.0.0.1:${names.port}`,
    LEPTOS_OUTPUT_NAME: 'flowengine',
    LEPTOS_SITE_ADDR: new URL(baseURL!).host,
    LEPTOS_SITE_ROOT: process.env.E2E_SITE ?? join(root, 'target/site'),
  });
  const server = spawn(binary, ['serve', '--demo'], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const killServer = () => server.kill('SIGKILL');
  process.once('exit', killServer);
  server.stderr.pipe(log, { end: false });

  const stop = async () => {
    await terminate(server);
    names.close();
    process.off('exit', killServer);
    log.end();
    rmSync(data, { recursive: true, force: true });
  };

  try {
    const link = await signInLink(server, (line) => log.write(`${line}\n`));
    await healthy(`${baseURL}/healthz`);

    const browser = await chromium.launch(launchOptions);
    try {
      const page = await browser.newPage();
      const answer = await page.goto(link);
      if (!answer?.ok()) throw new Error(`The sign-in link answered ${answer?.status()}.`);
      await page.context().storageState({ path: storageState as string });
    } finally {
      await browser.close();
    }
  } catch (error) {
    await stop();
    const said = readFileSync(logFile, 'utf8').split('\n').slice(-30).join('\n');
    throw new Error(`The demo could not be served and signed in to: ${error}\nThe server's last words:\n${said}`);
  }
  return stop;
}

/** The one-time link, which the server prints once it listens. Goes on reading, so that the pipe never fills. */
function signInLink(server: ChildProcess, onLine: (line: string) => void): Promise<string> {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error(`no sign-in link within ${START_SECONDS} s`)), START_SECONDS * 1000);
    server.once('error', fail);
    server.once('exit', (code, signal) => fail(new Error(`the server ended with ${signal ?? `exit code ${code}`}`)));
    createInterface({ input: server.stdout! }).on('line', (line) => {
      onLine(line);
      const link = /Sign in once at (http:\/\/\S+\/sign-in\/\S+)/.exec(line)?.[1];
      if (!link) return;
      clearTimeout(timer);
      done(link);
    });
  });
}

async function healthy(url: string): Promise<void> {
  const deadline = Date.now() + START_SECONDS * 1000;
  while (!(await fetch(url).then((answer) => answer.ok, () => false))) {
    if (Date.now() > deadline) throw new Error(`${url} was not healthy within ${START_SECONDS} s`);
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

async function terminate(server: ChildProcess): Promise<void> {
  if (server.pid === undefined || server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((done) => server.once('exit', done));
  server.kill('SIGTERM');
  const timer = setTimeout(() => server.kill('SIGKILL'), 15_000);
  await ended;
  clearTimeout(timer);
}
