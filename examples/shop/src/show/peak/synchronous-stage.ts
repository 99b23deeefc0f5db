import { http } from '@posthaste/http'
import { consoleLog, PosthasteError, posthaste } from 'posthaste'
import { steadyGateway } from '../../payment/gateway.ts'
import { runStage, type Stage } from '../stage/stage.ts'
import { paymentMs, paymentsAtATime } from './capacity.ts'
import { Checkout } from './contracts.ts'

/** As many as wait in the accept queue of a usual server; whoever comes then is turned away. */
const lineMax = 100

/** A place at the gateway: at once, or after those who came earlier. */
function places(count: number) {
  let free = count
  const line: (() => void)[] = []
  return {
    async take(): Promise<void> {
      if (free > 0) free -= 1
      else if (line.length >= lineMax) throw new PosthasteError('OVERLOADED', 'too many are waiting to pay')
      else await new Promise<void>((resolve) => line.push(resolve))
    },
    leave(): void {
      const next = line.shift()
      if (next === undefined) free += 1
      else next()
    },
  }
}

await runStage(async (): Promise<Stage> => {
  const gateway = steadyGateway(paymentMs)
  const gate = places(paymentsAtATime)
  const paidAtMs: number[] = []
  const app = posthaste({
    name: 'checkout',
    transports: [http({ port: 0 })],
    signals: false,
    log: consoleLog({ level: 'warn' }),
  })
  app.serve(Checkout, {
    async buy({ orderNo, totalPence }, { cancellation }) {
      await gate.take()
      try {
        // Who has left the line is not charged.
        if (cancellation.reason !== undefined) throw cancellation.reason
        await gateway.charge(orderNo, totalPence, 1)
        paidAtMs.push(Date.now())
        return { paid: true }
      } finally {
        gate.leave()
      }
    },
  })
  await app.start()
  return { url: app.urls[0]!, commands: { paidAtMs: () => paidAtMs }, close: () => app.close() }
})
