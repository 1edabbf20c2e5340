package trunk

import "time"

// Register is our account at a neighbour that wants us to register (RFC 3261
// section 10.2). The trunk's Auth answers its challenges; its Targets lead to
// the registrar, which is the host of the AOR.
type Register struct {
	AOR         string        // sip: URI with a user
	Expires     time.Duration // asked for; 0: an hour
	ContactUser string        // user of our Contact; "": that of the AOR
}

// Registration is how far registering with a trunk has come.
type Registration struct {
	AOR      string
	Target   string    // URI it was accepted at; "": never
	Until    time.Time // bound so long; zero: not registered
	Code     int       // of the last answer; 0: there was none
	Reason   string    // of the last answer, or why there was none
	Failures int       // in a row
	Next     time.Time // when the next REGISTER is due; zero: one is under way
	Routes   []string  // the way for requests of ours (Service-Route, RFC 3608)
}

// Bound tells whether the neighbour knows where we are.
func (r *Registration) Bound() bool { return r != nil && time.Now().Before(r.Until) }

// SetRegistration keeps how far it has come, for others to see; r is not
// changed any more. Nil: the trunk wants none.
func (s *State) SetRegistration(r *Registration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.registration = r
}

// Routes are the Routes of a request to the trunk while we are registered.
func (s *State) Routes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.registration.Bound() {
		return nil
	}
	return s.registration.Routes
}
