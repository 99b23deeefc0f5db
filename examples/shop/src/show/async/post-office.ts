import { type Store, table } from '../../store/store.ts'
import { pause } from '../load/volley.ts'
import type { Visit } from './contracts.ts'

/** Sessions by number of the visit. */
export const sessions = table<string>('users.sessions')
/** "There was a login to your account", by number of the visit. */
export const mails = table<string>('users.mails')
/** Lines of the log of logins, by number of the visit. */
export const logs = table<string>('users.logs')

const mailMs = 80
const slowMailMs = 600
const slowEvery = 25
const logMs = 15

/** Opens a session. */
export function openSession(store: Store, { visitNo, user }: Visit): Promise<string> {
  const session = `${user}-${visitNo}`
  return store.transact((tx) => {
    tx.put(sessions, [String(visitNo)], session)
    return session
  })
}

/** Hands a mail to a mail server that takes 80 ms, and now and then 600. A mail that is sent again is the same mail. */
export async function sendMail(store: Store, { visitNo, user }: Visit): Promise<void> {
  await pause(visitNo % slowEvery === 0 ? slowMailMs : mailMs)
  await store.transact((tx) => tx.put(mails, [String(visitNo)], user))
}

/** Writes a line into the log of logins, which is kept by somebody else and takes 15 ms. */
export async function writeLog(store: Store, { visitNo, user }: Visit): Promise<void> {
  await pause(logMs)
  await store.transact((tx) => tx.put(logs, [String(visitNo)], user))
}
