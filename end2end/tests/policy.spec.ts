// The Content Security Policy, as a browser keeps it. That no page breaks it, every test watches (see fixtures.ts).
import { STAR, messageId } from './demo';
import { expect, hydrated, test } from './fixtures';

test.use({ expectedFaults: /Content Security Policy|status of 404/ });

test('what was slipped into a page does not run', { tag: '@desktop' }, async ({ page, request }) => {
  await page.goto(`/t/acme_corp/messages/${await messageId(request, STAR)}`);
  await hydrated(page);
  await page.evaluate(async () => {
    const directives: string[] = [];
    Object.assign(window, { directives });
    document.addEventListener('securitypolicyviolation', (event) => directives.push(event.effectiveDirective));
    document.body.insertAdjacentHTML(
      'beforeend',
      `<img src="data:," onerror="slipped = 'by an event handler'">
       <p id="slipped" style="position: fixed">by a style</p>
       <a id="leads" href="javascript:void (slipped = 'by an address')">by an address</a>
       <form id="sends" action="https://evil.example/"><button>by a form</button></form>
       <iframe src="https://evil.example/"></iframe><img src="https://evil.example/pixel">`,
    );
    document.getElementById('leads')!.click();
    await fetch('https://evil.example/').catch(() => {});
    document.querySelector<HTMLButtonElement>('#sends button')!.click();
  });
  const broken = () => page.evaluate(() => [...(window as unknown as { directives: string[] }).directives].sort());
  await expect.poll(broken).toEqual([
    'connect-src',
    'form-action',
    'frame-src',
    'img-src',
    'script-src-attr',
    'script-src-elem',
    'style-src-attr',
  ]);
  const { slipped, position } = await page.evaluate(() => ({
    slipped: (window as { slipped?: unknown }).slipped instanceof HTMLElement ? 'nothing ran' : 'something ran',
    position: getComputedStyle(document.getElementById('slipped')!).position,
  }));
  // A name that no script has taken stands for the element of this id.
  expect(slipped).toBe('nothing ran');
  expect(position).toBe('static');
});

test('a page runs where its nonce is another each time', { tag: '@desktop' }, async ({ page }) => {
  const policies = new Set<string>();
  for (const path of ['/t/acme_corp', '/t/acme_corp', '/sign-in', '/no/such/page']) {
    const answer = await page.goto(path);
    await hydrated(page);
    policies.add(answer!.headers()['content-security-policy']);
  }
  expect(policies.size).toBe(4);
});
