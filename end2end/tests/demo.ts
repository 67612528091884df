// The demo's data, as the tests need it.
import type { APIRequestContext } from '@playwright/test';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { expect } from './fixtures';

/** The message that is rejected because its sender has no row in the shop's `customers`. */
export const STAR = 'Where is my order 1042?';

/** What lets the star pass, and what takes it back. */
export const ADD_CUSTOMER =
  'INSERT INTO customers (customer_number, name, email, status, since) ' +
  "VALUES ('C-20319', 'Priya Nair', 'priya.nair@northwind.example', 'active', '2026-11-10');";
export const REMOVE_CUSTOMER = "DELETE FROM customers WHERE customer_number = 'C-20319';";

/** Changes Acme's shop database as an outsider would, with whatever tool is there. */
export function changeShop(sql: string): void {
  const file = join(process.env.DATA_DIR!, 'files/acme_corp/shop.sqlite');
  const python = 'import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.executescript(sys.argv[2]); db.commit()';
  const node = "const [, file, sql] = process.argv; new (require('node:sqlite').DatabaseSync)(file).exec(sql)";
  const tools: [string, string[]][] = [
    ['sqlite3', ['-bail', '-cmd', '.timeout 5000', file, sql]],
    ['python3', ['-c', python, file, sql]],
    [process.execPath, ['--experimental-sqlite', '-e', node, file, sql]],
  ];
  const failures: string[] = [];
  for (const [tool, args] of tools) {
    const run = spawnSync(tool, args, { encoding: 'utf8' });
    if (run.status === 0) return;
    failures.push(`${tool}: ${run.error?.message ?? run.stderr.trim()}`);
  }
  throw new Error(`The shop database could not be changed.\n${failures.join('\n')}`);
}

/** A member of the only item of a list of the API, as in `only(request, 'intents', 'q=Order', 'intent_id')`. */
export async function only(
  request: APIRequestContext,
  resource: string,
  query: string,
  member: string,
  tenant = 'acme_corp',
): Promise<string> {
  const answer = await request.get(`/api/${resource}?tenant_id=${tenant}&${query}`);
  const items: Record<string, unknown>[] = await answer.json();
  expect(items, `${resource} of ${tenant} with ${query}`).toHaveLength(1);
  return String(items[0][member]);
}

/** The id of the message with this subject. */
export function messageId(request: APIRequestContext, subject: string, tenant?: string): Promise<string> {
  return only(request, 'emails', new URLSearchParams({ q: subject }).toString(), 'email_id', tenant);
}

/** Takes the customer away again, and the star's decision back to where the demo has it. */
export async function resetStar(request: APIRequestContext): Promise<void> {
  changeShop(REMOVE_CUSTOMER);
  const id = await messageId(request, STAR);
  const answer = await request.post(`/api/emails/${id}/reprocess?tenant_id=acme_corp`);
  expect(answer.status()).toBe(202);
  await expect.poll(() => standing(request, id)).toMatchObject({ status: 'done', decision: 'rejected' });
}

/** How Acme's message stands. */
export async function standing(
  request: APIRequestContext,
  id: string,
): Promise<{ status: string; decision: string; run: number }> {
  return (await request.get(`/api/emails/${id}?tenant_id=acme_corp`)).json();
}

/** Invites somebody, and gives the link that would be handed to them. */
export async function invite(request: APIRequestContext, email: string, role = 'operator'): Promise<URL> {
  const answer = await request.post('/api/members?tenant_id=acme_corp', { data: { email, role } });
  expect(answer.status()).toBe(201);
  return new URL((await answer.json()).link);
}

/** A member of Acme's item of this name. */
export async function named(request: APIRequestContext, resource: string, name: string, member: string): Promise<string> {
  const items: Record<string, unknown>[] = await (await request.get(`/api/${resource}?tenant_id=acme_corp`)).json();
  return String(items.find((item) => item.name === name)![member]);
}
