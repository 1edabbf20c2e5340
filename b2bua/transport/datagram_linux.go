package transport

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// datagram is one read from a UDP socket, or one write to it. The socket does
// not block, so Go's scheduler is not told of the system call: told, it wakes a
// thread that looks every 20 us for calls that take long. With some hundred
// calls a second that was an eighth of the CPU.
type datagram struct {
	name          unix.RawSockaddrInet6 // or the shorter one of IPv4
	size          uint32                // of name
	b             []byte
	n             int
	errno         syscall.Errno
	receive, send func(fd uintptr) (ready bool) // made once: for syscall.RawConn
}

func newDatagram() any {
	d := &datagram{}
	d.receive, d.send = d.recvfrom, d.sendto
	return d
}

func (d *datagram) recvfrom(fd uintptr) bool {
	for {
		d.size = unix.SizeofSockaddrInet6
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(d.b))), uintptr(len(d.b)), 0,
			uintptr(unsafe.Pointer(&d.name)), uintptr(unsafe.Pointer(&d.size)))
		if d.n, d.errno = int(n), errno; errno != syscall.EINTR {
			return errno != syscall.EAGAIN
		}
	}
}

func (d *datagram) sendto(fd uintptr) bool {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(d.b))), uintptr(len(d.b)), 0,
			uintptr(unsafe.Pointer(&d.name)), uintptr(d.size))
		if d.n, d.errno = int(n), errno; errno != syscall.EINTR {
			return errno != syscall.EAGAIN
		}
	}
}

// datagrams are lent for one read or write.
type datagrams struct{ free sync.Pool }

func (f *datagrams) read(raw syscall.RawConn, b []byte) (int, netip.AddrPort, error) {
	d := f.free.Get().(*datagram)
	defer f.put(d)
	d.b = b
	if err := raw.Read(d.receive); err != nil {
		return 0, netip.AddrPort{}, err
	}
	if d.errno != 0 {
		return 0, netip.AddrPort{}, os.NewSyscallError("recvfrom", d.errno)
	}
	return d.n, d.from(), nil
}

func (f *datagrams) write(raw syscall.RawConn, b []byte, to netip.AddrPort, v4 bool) (int, error) {
	d := f.free.Get().(*datagram)
	defer f.put(d)
	d.b = b
	if err := d.to(to, v4); err != nil {
		return 0, err
	}
	if err := raw.Write(d.send); err != nil {
		return 0, err
	}
	if d.errno != 0 {
		return 0, os.NewSyscallError("sendto", d.errno)
	}
	return d.n, nil
}

func (f *datagrams) put(d *datagram) {
	d.b = nil
	f.free.Put(d)
}

// from is the address that recvfrom has written.
func (d *datagram) from() netip.AddrPort {
	port := bigEndian(d.name.Port)
	if d.name.Family == unix.AF_INET {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(&d.name))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), port)
	}
	a := netip.AddrFrom16(d.name.Addr)
	if d.name.Scope_id != 0 {
		a = a.WithZone(zone(d.name.Scope_id))
	}
	return netip.AddrPortFrom(a, port)
}

// to sets the address for sendto, in the family of the socket.
func (d *datagram) to(remote netip.AddrPort, v4 bool) error {
	a := remote.Addr()
	if !a.IsValid() || v4 != a.Unmap().Is4() {
		return &net.AddrError{Err: "not of the socket's family", Addr: remote.String()}
	}
	d.name = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: bigEndian(remote.Port())}
	if v4 {
		d.name.Family, d.size = unix.AF_INET, unix.SizeofSockaddrInet4
		(*unix.RawSockaddrInet4)(unsafe.Pointer(&d.name)).Addr = a.Unmap().As4()
		return nil
	}
	d.name.Addr, d.size = a.As16(), unix.SizeofSockaddrInet6
	if a.Zone() != "" {
		i, err := net.InterfaceByName(a.Zone())
		if err != nil {
			return err
		}
		d.name.Scope_id = uint32(i.Index)
	}
	return nil
}

// zone names the interface of a link-local address; by its number when it has
// gone.
func zone(index uint32) string {
	if i, err := net.InterfaceByIndex(int(index)); err == nil {
		return i.Name
	}
	return strconv.FormatUint(uint64(index), 10)
}

// bigEndian turns a port into the order of the wire, or back.
func bigEndian(port uint16) uint16 {
	return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&port))[:])
}
