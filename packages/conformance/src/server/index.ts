/** The real servers that tests may use; a way in of its own, so that it does not load the whole kit. */

export { processStart } from './process.ts'
export {
  type RunningServer,
  type RunningServerOptions,
  requiredServer,
  runningServer,
  type ServerProcess,
  type ServerState,
  serverVariable,
} from './running-server.ts'
