import process from 'node:process'
import { parseArgs } from 'node:util'
import { fateOf } from './payment/gateway.ts'
import { dataDir, portOf, shown } from './settings.ts'
import { openShop, type Shop } from './shop.ts'

/** `npm start`: the shop, until Ctrl-C. */
const usage = `usage: npm start [-- --port <0-65535> --data <directory> --engine <url>]
PORT and SHOP_DATA in the environment stand for the first two; without a URL the engine is embedded.`

try {
  const shop = await openFromArguments()
  closeOnSignal(shop)
  process.stdout.write(greeting(shop))
} catch (error) {
  process.stderr.write(shown(error, usage))
  process.exitCode = 1
}

function openFromArguments(): Promise<Shop> {
  const { values } = parseArgs({
    options: { port: { type: 'string' }, data: { type: 'string' }, engine: { type: 'string' } },
  })
  const port = portOf(values.port ?? process.env.PORT ?? '8080')
  return openShop({ dir: dataDir(values.data), port, engineUrl: values.engine })
}

/** The first signal closes well, a second one ends the process at once. */
function closeOnSignal(shop: Shop): void {
  const close = (): void => {
    for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, close)
    process.stdout.write('\nclosing …\n')
    shop.close().then(
      () => process.stdout.write('closed; nothing is lost, npm start goes on from here\n'),
      (error) => {
        process.stderr.write(shown(error, usage))
        process.exitCode = 1
      },
    )
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, close)
}

function greeting({ url, app }: Shop): string {
  const post = `curl -s ${url}/api/orders -H 'content-type: application/json'`
  return `
The shop is open at ${url}, on the engine ${app.health().engine?.name}. Try, in another terminal:

  # Order something; the answer comes at once, with the order's number.
  ${post} -d '{"orderNo":"${aNumber('paid')}","userId":7,"lines":[{"productId":"TEAPOT","quantity":1},{"productId":"CUP","quantity":4}]}'

  # What has become of it: stock deducted, paid, points granted, shipped.
  curl -s ${url}/api/orders/${aNumber('paid')}

  # This one's card is declined. 30 seconds later it is cancelled, and the stock is back.
  ${post} -d '{"orderNo":"${aNumber('declined')}","userId":7,"lines":[{"productId":"TRAY","quantity":2}]}'
  curl -s ${url}/api/dead-letters
  curl -s ${url}/api/stock/TRAY

  # There are only three kettles: refused at once.
  ${post} -d '{"lines":[{"productId":"KETTLE","quantity":4}]}'

  # All orders of a user, and the books of the shop.
  curl -s '${url}/api/orders?userId=7'
  curl -s ${url}/api/books

Ctrl-C closes the shop. Its state stays: kill -9 it, if you like, and start it again.
`
}

/** The first order number that fate has this in store for. */
function aNumber(fate: 'paid' | 'declined'): string {
  let number = 1
  while (fateOf(String(number)).fate !== fate) number += 1
  return String(number)
}
