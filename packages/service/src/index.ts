export { every } from './every.ts';
export { type Opened, type OpenFailure, openCompact, signCompact } from './jws.ts';
export { type KeySource, MIN_KEY_BYTES } from './key-text.ts';
export { assertDistinct, hmacSigner, type Key, KeyFamily, sameText, type TextSigner } from './keys.ts';
export {
  BasicService,
  type Service,
  type ServiceOptions,
  type ServiceState,
  ServiceStateError,
} from './lifecycle.ts';
export { ListenError, listening } from './listening.ts';
export {
  createLogger,
  LOG_LEVELS,
  type Logger,
  type LoggerOptions,
  type LogLevel,
  redact,
  setLogLevel,
} from './log.ts';
export { measureEventLoopLag } from './metrics.ts';
export { isLoopback, originAllowed, originProblem } from './origins.ts';
export {
  type Address,
  formatAddress,
  parseAddress,
  type Setting,
  type SettingOptions,
  setting,
} from './setting.ts';
export {
  type Environment,
  loadEnvironment,
  type ReadOptions,
  readSettings,
  SETTINGS_FILE,
  type SettingsChange,
  type SettingsTable,
  settingNames,
  settingsChange,
  type ValuesOf,
} from './settings.ts';
export { type SettingProblem, SettingsError } from './settings-error.ts';
export { settingsHelp, settingsMarkdown } from './settings-help.ts';
export { checkInsecure, sharedSettings } from './shared-settings.ts';
export { type RunOptions, runUntilSignal } from './shutdown.ts';
export { readAuthorities, readTls, type TlsFiles, type TlsMaterial, tlsFiles } from './tls.ts';
export {
  CLUSTER_TTL_SECONDS,
  CLUSTER_TYPE,
  type ClusterExpectation,
  type ClusterTokenOptions,
  type Expectation,
  mintClusterToken,
  mintTicket,
  TICKET_TYPE,
  type TokenFailure,
  ticketAudience,
  ticketExpiry,
  type Verified,
  verifyClusterToken,
  verifyTicket,
} from './tokens.ts';
