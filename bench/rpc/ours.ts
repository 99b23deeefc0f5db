import { type LinkClientOptions, type LinkOptions, link, linkClient } from '@posthaste/link'
import { type App, posthaste, service, stream } from 'posthaste'
import { silentLog } from 'posthaste/pipeline'
import { type Contestant, echo } from './contestant.ts'
import { Order, ordersOf, Watch } from './order.ts'

const Shop = service('bench.Shop', {
  echo: { input: Order, output: Order, idempotent: true },
  watch: { input: Watch, output: stream(Order) },
})

/** Ours with its default stacks, over link. */
export function ours(server: LinkOptions, client: Omit<LinkClientOptions, 'url'> = {}): Contestant {
  const apps: App[] = []
  return {
    async serve() {
      const app = posthaste({
        name: 'server',
        transports: [link({ connectionsMax: 20_000, ...server })],
        log: silentLog,
        signals: false,
      })
      app.serve(Shop, { echo, watch: (asked) => ordersOf(asked) })
      await app.start()
      apps.unshift(app)
      return app.urls[0]!
    },
    async connect(url) {
      const app = posthaste({ name: 'client', log: silentLog, signals: false })
      const shop = app.client(Shop, { transport: linkClient({ ...client, url }) })
      await app.start()
      apps.unshift(app)
      return { echo: shop.echo, watch: (asked) => shop.watch(asked) }
    },
    // Clients first, which were begun last.
    async close() {
      for (const app of apps) await app.close()
    },
  }
}
