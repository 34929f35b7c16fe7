package ucma

// request is one command before it is written.
type request struct {
	cmd  command
	body []byte
	// response is where the kernel puts its answer, and responseAt the offset in
	// body of the pointer to it. Without an answer response is nil.
	response   []byte
	responseAt int
}

// message returns what write(2) is given: the header {cmd u32, in u16, out
// u16}, and the body with the address of the response filled in.
func (r request) message(response uint64) []byte {
	msg := make([]byte, sizeHeader+len(r.body))
	native.PutUint32(msg, uint32(r.cmd))
	native.PutUint16(msg[4:], uint16(len(r.body)))
	native.PutUint16(msg[6:], uint16(len(r.response)))
	copy(msg[sizeHeader:], r.body)
	if r.response != nil {
		native.PutUint64(msg[sizeHeader+r.responseAt:], response)
	}
	return msg
}

func encodeCreateID(uid uint64, ps PortSpace) request {
	b := make([]byte, sizeCreateID)
	native.PutUint64(b, uid)
	native.PutUint16(b[16:], uint16(ps))
	b[18] = qpTypeRC
	return request{cmd: cmdCreateID, body: b, responseAt: 8, response: make([]byte, sizeIDResponse)}
}

func encodeDestroyID(id uint32) request {
	b := make([]byte, sizeDestroyID)
	native.PutUint32(b[8:], id)
	return request{cmd: cmdDestroyID, body: b, response: make([]byte, sizeIDResponse)}
}

func encodeBind(id uint32, addr Addr) request {
	b := make([]byte, sizeBind)
	native.PutUint32(b, id)
	native.PutUint16(b[4:], uint16(putAddr(b[8:], addr)))
	return request{cmd: cmdBind, body: b}
}

// encodeResolveAddr leaves the source to the kernel if src is the zero Addr.
func encodeResolveAddr(id uint32, src, dst Addr, timeoutMS uint32) request {
	b := make([]byte, sizeResolveAddr)
	native.PutUint32(b, id)
	native.PutUint32(b[4:], timeoutMS)
	if src.IsValid() {
		native.PutUint16(b[8:], uint16(putAddr(b[16:], src)))
	}
	native.PutUint16(b[10:], uint16(putAddr(b[144:], dst)))
	return request{cmd: cmdResolveAddr, body: b}
}

func encodeResolveRoute(id, timeoutMS uint32) request {
	b := make([]byte, sizeResolveRoute)
	native.PutUint32(b, id)
	native.PutUint32(b[4:], timeoutMS)
	return request{cmd: cmdResolveRoute, body: b}
}

func encodeQueryRoute(id uint32) request {
	b := make([]byte, sizeQueryRoute)
	native.PutUint32(b[8:], id)
	response := make([]byte, sizeRouteResponse)
	native.PutUint32(response[routeIndexAt:], noIndex)
	return request{cmd: cmdQueryRoute, body: b, response: response}
}

// encodeConnect writes struct rdma_ucm_connect: conn_param, the id, and an ECE
// of zero, which asks for no enhanced connection establishment.
func encodeConnect(id uint32, p ConnectParams) request {
	b := make([]byte, sizeConnect)
	native.PutUint32(b, p.QPN)
	b[264] = byte(copy(b[8:8+maxPrivateData], p.PrivateData))
	b[266] = p.ResponderResources
	b[267] = p.InitiatorDepth
	b[269] = p.RetryCount
	b[270] = p.RNRRetryCount
	b[271] = 1 // valid: without it the kernel answers EINVAL
	native.PutUint32(b[272:], id)
	return request{cmd: cmdConnect, body: b}
}

func encodeListen(id, backlog uint32) request {
	b := make([]byte, sizeListen)
	native.PutUint32(b, id)
	native.PutUint32(b[4:], backlog)
	return request{cmd: cmdListen, body: b}
}

func encodeReject(id uint32, data []byte) request {
	b := make([]byte, sizeReject)
	native.PutUint32(b, id)
	b[4] = byte(copy(b[8:8+maxPrivateData], data))
	b[5] = byte(RejectConsumer)
	return request{cmd: cmdReject, body: b}
}

func encodeGetEvent() request {
	return request{cmd: cmdGetEvent, body: make([]byte, sizeGetEvent), response: make([]byte, sizeEventResponse)}
}

// encodeSetTOS wants the address of the option's one octet.
func encodeSetTOS(id uint32, value uint64) request {
	b := make([]byte, sizeSetOption)
	native.PutUint64(b, value)
	native.PutUint32(b[8:], id)
	native.PutUint32(b[12:], optionLevelID)
	native.PutUint32(b[16:], optionTOS)
	native.PutUint32(b[20:], 1)
	return request{cmd: cmdSetOption, body: b}
}
