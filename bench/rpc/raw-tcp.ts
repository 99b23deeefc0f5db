import { type AddressInfo, connect, createServer } from 'node:net'
import type { Contestant } from './contestant.ts'
import { type Order, orderOf } from './order.ts'

/** Bytes of one write. */
const chunkBytes = 64 * 1024

/** Nothing but sockets: what no transport on them can exceed. Its stream is bytes that nobody looks at. */
export const rawTcp: Contestant = {
  serve() {
    const chunk = Buffer.alloc(chunkBytes, 'n')
    const server = createServer((socket) => {
      socket.setNoDelay(true)
      socket.on('error', () => socket.destroy())
      const fill = (): void => {
        while (socket.write(chunk));
      }
      // The first byte asks for a stream if it is an `s`; anything else is sent back.
      socket.once('data', (first) => {
        if (first[0] === streamByte) {
          socket.on('drain', fill)
          fill()
        } else {
          socket.write(first)
          socket.on('data', (data) => socket.write(data))
        }
      })
    })
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve(String((server.address() as AddressInfo).port)))
    })
  },
  async connect(at) {
    const open = (): ReturnType<typeof connect> => connect({ port: Number(at), host: '127.0.0.1', noDelay: true })
    const socket = open()
    socket.on('error', () => socket.destroy())
    return {
      echo: (order) =>
        new Promise<Order>((resolve) => {
          socket.once('data', () => resolve(order))
          socket.write('e')
        }),
      /** An item is as many bytes as the note of one, wherever it is cut. */
      async *watch({ noteBytes }) {
        const streaming = open()
        streaming.write('s')
        const item = orderOf(0)
        let left = 0
        for await (const data of streaming) {
          left += (data as Buffer).length
          for (; left >= noteBytes; left -= noteBytes) yield item
        }
      },
    }
  },
}

const streamByte = 's'.charCodeAt(0)
