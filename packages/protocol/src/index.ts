export {
  CHANNEL_ALL,
  type ChannelKind,
  CLUSTER_SENDER,
  channelKind,
  groupChannel,
  innerChannel,
  isChannel,
  isUserId,
  MAX_NAME_BYTES,
  presenceChannel,
  serviceSender,
  userChannel,
  userOf,
} from './channels.ts';
export {
  allows,
  type Capabilities,
  type ClusterClaims,
  type ClusterScope,
  capabilitiesProblem,
  MAX_CAPABILITY_PATTERNS,
  NO_CAPABILITIES,
  TICKET_LEEWAY_SECONDS,
  TICKET_TTL_SECONDS,
  type TicketClaims,
} from './claims.ts';
export {
  CLOSE,
  type CloseAction,
  type CloseCode,
  type CloseName,
  type CloseRule,
  closeRule,
} from './close-codes.ts';
export { CLOSE_MEANS } from './close-meanings.ts';
export { ERRORS, type ErrorCode, type ErrorRule } from './errors.ts';
export type {
  ClientFrame,
  ErrorFrame,
  ExpiringFrame,
  GapFrame,
  JoinedFrame,
  LeftFrame,
  MessageFrame,
  MoveFrame,
  PublishedFrame,
  PublishTarget,
  RefreshedFrame,
  ResumedFrame,
  ServerFrame,
  TargetResult,
  WelcomeFrame,
} from './frames.ts';
export {
  type DrainAnswer,
  type DrainCause,
  type GroupMember,
  type GroupMembers,
  type GroupPresence,
  HTTP,
  memberPath,
  membersPath,
  type OwnerAnswer,
  type PresenceState,
  type Problem,
  type PublishAnswer,
  type PublishRequest,
  type RingDocument,
  type RingDocumentMember,
  type RouteAnswer,
  type SessionInfo,
  type StreamedState,
  socketUrlHead,
  type UserGroups,
  type UserPresence,
} from './http.ts';
export { type Position, samePosition } from './position.ts';
export { type ProblemOptions, problemBody, serverProblem } from './problem.ts';
export { RawFields, type ScanFailure, scanArray, scanFields } from './scanner.ts';
export { PROTOCOL, SUBPROTOCOL } from './version.ts';
