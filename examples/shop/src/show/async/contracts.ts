import { event, service } from 'posthaste'
import { z } from 'zod'

const visit = z.object({ visitNo: z.number().int(), user: z.string() })

/** Somebody logged in. */
export const LoggedIn = event('shop.user.logged-in', { data: visit, key: ({ user }) => user })

/** Where users log in. */
export const Entrance = service('shop.Entrance', {
  logIn: {
    input: visit,
    output: z.object({ session: z.string() }),
    http: 'POST /api/login',
  },
})

/** A login. */
export type Visit = z.output<typeof visit>
