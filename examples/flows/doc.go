// Package flows plays the call flows of RFC 3665 (basic calls) and RFC 5359
// (services) through Legwork: the real engine with the scripts of this folder,
// and phones that do what the documents say, on virtual time. There is no code
// in it but tests, which read like the documents; the number behind a step is
// that of its message there. Each flow is played on a clean network, over TCP, and
// on networks that lose, double and swap packets.
//
// Legwork stands where the documents have proxies. It is none: each leg has a
// Call-ID, tags, CSeq, Via and Contact of its own, so nothing has a Record-Route,
// every ACK and BYE goes the way of the INVITE, a BYE is answered where it comes
// in and said on, and an INVITE that fails is acknowledged from hop to hop by
// transactions. That much is looked at in all flows (wire_test.go) and is not
// said again below. Addresses are sip: ones where RFC 5359 has sips:.
//
// Start reading with rfc3665_session_test.go. The words of the tests are in
// phone_test.go (a person's phone), line_test.go (its half of one dialog) and
// people_test.go; world_test.go builds the network.
//
// # RFC 3665
//
//	2.1  Successful New Registration            TestSuccessfulNewRegistration
//	2.2  Update of Contact List                 TestUpdateOfContactList
//	2.3  Request for Current Contact List       TestRequestForCurrentContactList
//	2.4  Cancellation of Registration           TestCancellationOfRegistration
//	2.5  Unsuccessful Registration              TestUnsuccessfulRegistration
//	     Nor does the password of another user register.
//	3.1  Successful Session Establishment       TestSuccessfulSessionEstablishment
//	     There is no proxy in the document's.
//	3.2  Session Establishment Through Two      TestSessionEstablishmentThroughTwoProxies
//	     Proxies
//	     The first challenge is a Legwork's too.
//	3.3  Session with Multiple Proxy            TestSessionWithMultipleProxyAuthentication
//	     Authentication
//	     Proxy 2 challenges Proxy 1, which answers; Alice hears nothing of it (F9 to F11).
//	3.4  Successful Session with Proxy Failure  TestSuccessfulSessionWithProxyFailure
//	3.5  Session Through a SIP ALG              TestSessionThroughASIPALG
//	     The script writes the gateway's address into SDP; it carries no RTP.
//	3.6  Session via Redirect and Proxy         TestSessionViaRedirectAndProxyServersWithSDPInACK
//	     Servers with SDP in ACK
//	3.7  Session with re-INVITE                 TestSessionWithReINVITE
//	     ACK, re-INVITE and BYE go past the document's proxy. Bob's new address must be
//	     one of his trunk's.
//	3.8  Unsuccessful No Answer                 TestUnsuccessfulNoAnswer
//	3.9  Unsuccessful Busy                      TestUnsuccessfulBusy
//	3.10 Unsuccessful No Response from User     TestUnsuccessfulNoResponseFromUserAgent
//	     Agent
//	3.11 Unsuccessful Temporarily Unavailable   TestUnsuccessfulTemporarilyUnavailable
//
// # RFC 5359
//
//	2.1  Call Hold                              TestCallHold
//	2.2  Consultation Hold                      TestConsultationHold
//	2.3  Music on Hold                          TestMusicOnHold
//	2.4  Transfer - Unattended                  TestTransferUnattended
//	     The same for a phone that knows no     TestTransferUnattendedDoneHere
//	     REFER: Legwork calls Carol, and Alice hears of it by a re-INVITE.
//	2.5  Transfer - Attended                    TestTransferAttended
//	     Replaces names another dialog on each leg.
//	     The same for phones that know no REFER TestTransferAttendedDoneHere
//	2.6  Transfer - Instant Messaging           not played: its messages are no calls
//	2.7  Call Forwarding Unconditional          TestCallForwardingUnconditional
//	2.8  Call Forwarding - Busy                 TestCallForwardingBusy
//	     The proxy's own 181 is missing: a script can't make one.
//	2.9  Call Forwarding - No Answer            TestCallForwardingNoAnswer
//	2.10 3-Way Conference - Third Party Is      not played: needs a mixer
//	     Added
//	2.11 3-Way Conference - Third Party Joins   not played: needs a mixer
//	2.12 Find-Me                                TestFindMe
//	2.13 Incoming Call Screening                TestIncomingCallScreening
//	2.14 Outgoing Call Screening                TestOutgoingCallScreening
//	2.15 Call Park                              TestCallPark
//	     REFER, SUBSCRIBE and their NOTIFYs are relayed as pairs of subscriptions, here
//	     and below; a Replaces names another dialog on each leg.
//	2.16 Call Pickup                            TestCallPickup
//	2.17 Automatic Redial                       TestAutomaticRedial
//	2.18 Click to Dial                          TestClickToDial
package flows
