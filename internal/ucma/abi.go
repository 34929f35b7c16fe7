package ucma

import "encoding/binary"

// native is the byte order of everything but addresses and the big-endian
// fields of a path record.
var native = binary.NativeEndian

// command is a RDMA_USER_CM_CMD_* number.
type command uint32

const (
	cmdCreateID     command = 0
	cmdDestroyID    command = 1
	cmdResolveRoute command = 4
	cmdQueryRoute   command = 5
	cmdConnect      command = 6
	cmdListen       command = 7
	cmdReject       command = 9
	cmdGetEvent     command = 12
	cmdSetOption    command = 14
	cmdBind         command = 20
	cmdResolveAddr  command = 21
)

// Sizes of the requests and responses. The kernel copies whole structs whatever
// the header says, so a request is never shorter.
const (
	sizeHeader       = 8
	sizeCreateID     = 24
	sizeDestroyID    = 16
	sizeResolveRoute = 8
	sizeQueryRoute   = 16
	sizeConnect      = 288
	sizeListen       = 8
	sizeReject       = 264
	sizeGetEvent     = 8
	sizeSetOption    = 24
	sizeBind         = 136
	sizeResolveAddr  = 272

	sizeIDResponse    = 4 // CREATE_ID's id, DESTROY_ID's events_reported
	sizeRouteResponse = 208
	sizeEventResponse = 336
)

// PortSpace is a RDMA_PS_* number: which service ids an id's port stands for.
type PortSpace uint16

// PortSpaceTCP is reliable connected service; a port becomes the service id
// 0x0000000001060000 + port (IBTA A11, cma.c rdma_get_service_id). On InfiniBand
// and RoCE it has nothing to do with TCP's own ports.
const PortSpaceTCP PortSpace = 0x0106

// qpTypeRC is IB_QPT_RC (uapi: IBV_QPT_RC).
const qpTypeRC = 2

// How much private data a CONNECT and a REJECT carry over the wire: 92 and 148
// octets of REQ and REJ (IBTA 12.6.5, 12.6.7), of which the CMA header takes 36
// of the REQ.
const (
	MaxConnectData = 56
	MaxRejectData  = 148
)

const maxPrivateData = 256 // RDMA_MAX_PRIVATE_DATA

// RDMA_OPTION_ID and RDMA_OPTION_ID_TOS.
const (
	optionLevelID = 0
	optionTOS     = 0
)
