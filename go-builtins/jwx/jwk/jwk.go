// Package jwk is what OPA's crypto.x509.parse_rsa_private_key needs of github.com/lestrrat-go/jwx/v3/jwk: a private key as
// JSON Web Key (RFC 7517, 7518 section 6, 8037), with the members and the errors of that library's Import.
package jwk

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// Key marshals to a JWK.
type Key struct {
	members map[string]string
}

// MarshalJSON prints the members.
func (k Key) MarshalJSON() ([]byte, error) { return json.Marshal(k.members) }

// Import takes a private key of crypto/rsa, crypto/ecdsa, crypto/ed25519 or crypto/ecdh.
func Import(raw any) (Key, error) {
	switch key := raw.(type) {
	case *rsa.PrivateKey:
		return importRSA(key)
	case *ecdsa.PrivateKey:
		return importECDSA(key)
	case ed25519.PrivateKey:
		return importOKP("Ed25519", key.Public().(ed25519.PublicKey), key.Seed()), nil
	case *ecdh.PrivateKey:
		if key.Curve() == ecdh.X25519() {
			return importOKP("X25519", key.PublicKey().Bytes(), key.Bytes()), nil
		}
	}
	return Key{}, fmt.Errorf("jwk.Import: failed to convert %T to jwk.Key", raw)
}

func importRSA(key *rsa.PrivateKey) (Key, error) {
	if len(key.Primes) < 2 {
		return Key{}, errors.New("jwk.Import: rsa: two primes are required")
	}
	members := map[string]string{
		"kty": "RSA",
		"n":   number(key.N),
		"e":   number(big.NewInt(int64(key.E))),
		"d":   number(key.D),
		"p":   number(key.Primes[0]),
		"q":   number(key.Primes[1]),
	}
	for name, value := range map[string]*big.Int{
		"dp": key.Precomputed.Dp, "dq": key.Precomputed.Dq, "qi": key.Precomputed.Qinv,
	} {
		if value != nil {
			members[name] = number(value)
		}
	}
	return Key{members}, nil
}

func importECDSA(key *ecdsa.PrivateKey) (Key, error) {
	private, err := key.Bytes()
	if err != nil {
		return Key{}, err
	}
	public, err := key.PublicKey.Bytes() // 0x04, X, Y
	if err != nil {
		return Key{}, err
	}
	size := (len(public) - 1) / 2
	return Key{map[string]string{
		"kty": "EC",
		"crv": key.Curve.Params().Name,
		"x":   text(public[1 : 1+size]),
		"y":   text(public[1+size:]),
		"d":   text(private),
	}}, nil
}

func importOKP(curve string, public, private []byte) Key {
	return Key{map[string]string{"kty": "OKP", "crv": curve, "x": text(public), "d": text(private)}}
}

func number(value *big.Int) string { return text(value.Bytes()) }

func text(bytes []byte) string { return base64.RawURLEncoding.EncodeToString(bytes) }
