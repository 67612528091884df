// The program under test. `server.ts` sets the environment in which it, and the tests after it, call it.
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '..');
export const binary = join(resolve(root, process.env.CARGO_TARGET_DIR ?? 'target'), 'debug/flowengine');

/** Runs a command of the program on the served installation, and returns what it printed. */
export function flowengine(...args: string[]): string {
  return execFileSync(binary, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}
