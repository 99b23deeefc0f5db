import process from 'node:process'
import { parseArgs } from 'node:util'
import { fateOf } from './payment/gateway.ts'
import type { Progress } from './replay/progress.ts'
import { chaosArguments, chaosOf, dataDir, isWatched, portOf, shown, withChaosRate } from './settings.ts'
import { openShop, type Shop } from './shop.ts'
import { viewOf } from './view/view.ts'

/** `npm start`: the shop, until Ctrl-C. */
const usage = `usage: npm start [-- --port <0-65535> --data <directory> --engine <url> --chaos [<0-1>] --chaos-seed <number> --watch]
PORT and SHOP_DATA in the environment stand for the first two; without a URL the engine is embedded. Chaos injects faults
between the services, at this rate of each kind or 0.1; it is watched on a terminal, and elsewhere where told so.`

try {
  const { shop, isWatched } = await openFromArguments()
  const view = isWatched ? viewOf(shop.app, { out: process.stderr }) : undefined
  closeOnSignal(shop, view)
  process.stdout.write(greeting(shop))
} catch (error) {
  process.stderr.write(shown(error, usage))
  process.exitCode = 1
}

async function openFromArguments(): Promise<{ readonly shop: Shop; readonly isWatched: boolean }> {
  const { values } = parseArgs({
    args: withChaosRate(process.argv.slice(2)),
    options: { port: { type: 'string' }, data: { type: 'string' }, engine: { type: 'string' }, ...chaosArguments },
  })
  const port = portOf(values.port ?? process.env.PORT ?? '8080')
  const chaos = chaosOf(values)
  const watched = isWatched(values)
  // A line of the log would tear the board.
  const logLevel = watched && process.stderr.isTTY ? 'error' : undefined
  const shop = await openShop({ dir: dataDir(values.data), port, engineUrl: values.engine, chaos, logLevel })
  return { shop, isWatched: watched }
}

/** The first signal closes well, a second one ends the process at once. */
function closeOnSignal(shop: Shop, view: Progress | undefined): void {
  const close = (): void => {
    for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, close)
    view?.end()
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
