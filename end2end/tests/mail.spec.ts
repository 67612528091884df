// Mail that a mail server hands on, as an operator and an administrator see it.
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

import { expect, hydrated, test } from './fixtures';
import { look } from './look';

const TENANT = 'globex_inc';

/** Hands a message on by SMTP, and gives what the server said at last. */
async function handOn(from: string, to: string, raw: string): Promise<string> {
  const socket = connect(Number(process.env.E2E_SMTP_PORT), '127.0.0.1');
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const reply = async () => {
    for (;;) {
      const { value } = await lines.next();
      if (value === undefined || value[3] !== '-') return String(value);
    }
  };
  const said = [await reply()];
  for (const line of ['EHLO mx.customer.example', `MAIL FROM:<${from}>`, `RCPT TO:<${to}>`, 'DATA', `${raw}\r\n.`]) {
    socket.write(`${line}\r\n`);
    said.push(await reply());
  }
  socket.end();
  return said.at(-1)!;
}

test('mail that comes is seen, with who sent it', async ({ page }, { project }) => {
  test.slow();
  const subject = `Lift out of order ${project.name} ${Date.now()}`;
  await test.step('it stands in the list', async () => {
    const raw = `From: Ann Lee <ann@customer.example>\r\nTo: servicedesk@globex-inc.example\r\nSubject: ${subject}\r\n\r\nPlease come.`;
    expect(await handOn('ann@customer.example', 'servicedesk+lift@globex-inc.example', raw)).toContain('250 2.0.0 Stored as');
    await page.goto(`/t/${TENANT}/messages`);
    await hydrated(page);
    await expect(page.getByRole('link', { name: subject })).toBeVisible();
  });

  await test.step('how it came, and that its sender is who they say', async () => {
    await page.getByRole('link', { name: subject }).click();
    const carried = page.getByTestId('carried');
    for (const words of ['Service Desk', 'mx.customer.example (127.0.0.1)', 'servicedesk+lift@', 'SPF pass', 'DMARC pass']) {
      await expect(carried).toContainText(words);
    }
    await expect(page.getByText('Came in by mailbox Service Desk')).toBeVisible();
    await expect(page.getByTestId('message')).toHaveAttribute('data-status', 'done');
    await look(page, `${project.name}-message-by-mail`);
  });

  await test.step('its mailbox shows signs of life', async () => {
    await page.goto(`/t/${TENANT}/mailboxes`);
    const row = page.getByTestId('mailbox').filter({ hasText: 'Service Desk' });
    await expect(row).not.toContainText('Waiting');
    await expect(row).not.toContainText('never');
    await look(page, `${project.name}-mailboxes-alive`);
  });

  await test.step('mail for nobody is not taken', async () => {
    expect(await handOn('ann@customer.example', 'nobody@globex-inc.example', 'Subject: x\r\n\r\nx')).toMatch(/^5/);
  });
});
