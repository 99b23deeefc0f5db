import type { Socket } from 'node:net'
import type { Pipe, PipeEvents } from './pipe.ts'

/** A pipe over a socket, be it TCP, TLS or Unix, that is connected. */
export function socketPipe(socket: Socket, name: string): Pipe {
  return {
    name,
    get unsentBytes() {
      return socket.writableLength
    },
    attach(events) {
      follow(socket, events)
    },
    write(pieces) {
      if (pieces.length === 1) return socket.write(pieces[0] as Uint8Array)
      // Corked, they leave in one system call.
      socket.cork()
      let room = true
      for (const piece of pieces) room = socket.write(piece)
      socket.uncork()
      return room
    },
    end() {
      socket.end()
    },
    destroy() {
      socket.destroy()
    },
  }
}

function follow(socket: Socket, events: PipeEvents): void {
  let cause: Error | undefined
  socket.on('data', (chunk: Uint8Array) => events.received(chunk))
  socket.on('drain', () => events.drained())
  socket.on('error', (error) => {
    cause ??= error
  })
  socket.on('close', () => events.closed(cause))
}
