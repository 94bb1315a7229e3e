// tests/doubles/test_keys.hpp: keys and tokens for tests; made by OpenSSL and PyJWT, so that not only our own code says
// that they are good. Nobody uses these keys for anything.
//
// Owner    none (constants).  Thread  any.  Memory  none.
#pragma once

#include <string_view>

namespace ringcast::test_keys {

inline constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";
inline constexpr std::string_view kOtherSecret = "fedcba9876543210fedcba9876543210";
inline constexpr std::string_view kRsaPublic =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwd1nfwsNQZU9YCDBQ19x\n"
    "VXlMRGNYZLuDSJic7MDm1MHRfPsaL9t4fVjkuFW8iPOqxsGaBUdsndMQsFh9nrEU\n"
    "8eIuCT0nDL0zFs0qPtvpEqKDQyBR9rygePL+L8MlRUehsBjJLRD4PIPY0btCVLab\n"
    "zfkVH+5JBfVLt5etiWaTjrJdiytXrT7rQoB+Idx111/TWOzej+zDAYKwqVa8UqM6\n"
    "5z9CSwsgItaxqR1F8Djs6tW2kfzCuLmDdAysIm59yYXoL2JW9U+a6ZUVpKgogeZ1\n"
    "1o5I8vtuLkjnIFmMah9qUgM2wFlfKdQOkP6JYbAxs8h+vSFsq36BBhP1F/+DXRnd\n"
    "ZQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
inline constexpr std::string_view kRsaPrivate =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDB3Wd/Cw1BlT1g\n"
    "IMFDX3FVeUxEY1hku4NImJzswObUwdF8+xov23h9WOS4VbyI86rGwZoFR2yd0xCw\n"
    "WH2esRTx4i4JPScMvTMWzSo+2+kSooNDIFH2vKB48v4vwyVFR6GwGMktEPg8g9jR\n"
    "u0JUtpvN+RUf7kkF9Uu3l62JZpOOsl2LK1etPutCgH4h3HXXX9NY7N6P7MMBgrCp\n"
    "VrxSozrnP0JLCyAi1rGpHUXwOOzq1baR/MK4uYN0DKwibn3JhegvYlb1T5rplRWk\n"
    "qCiB5nXWjkjy+24uSOcgWYxqH2pSAzbAWV8p1A6Q/olhsDGzyH69IWyrfoEGE/UX\n"
    "/4NdGd1lAgMBAAECggEACpTkVcsLeFrGL1g1BFGSKj6v2tnAqjrmnGX2xst0A1qS\n"
    "7dX3j3N/ck68U+gbctmN/EGhVQwZfHctUDAm/IGg6YpVcJv9uinHlJqH5ZzI7i31\n"
    "qTUl6X2mlVjPZq7++qGWzI8FyBJxjOgLbniLUya71AnLoo216aqCbVfM7pTX6rAZ\n"
    "q0BmjgUN3MfjOOOlLLyJ2Am7JMXeMFHHRatdkrxzWvJAKk0nvwXNaGoFenbx+Etk\n"
    "zsNnfYcT4IdA4L/e3Xxzl5hqTUR4q0rnHU8frtaHC0VujaN9EZ0ZWo6jV2NFYjb0\n"
    "8hIBTV17kAeppf21Lj568EfLkzEFBrFI+c6K0ibPTwKBgQDlsaDBhJM6D0ymnI5r\n"
    "yFtMPnc0S7wuNn7f6CSmDJVoRK3JRAAd8RbQe4m7SmimRAivFfcIf6u3hXX8rCDy\n"
    "j5WLRzlU9yezvGY2Vb+h+mWoxtijGQLmdhDhsTtEKA1jlWAhg/X0//0W1k6vT574\n"
    "B60Ha3c0c9r+c3tSCWuqEM1nuwKBgQDYEU8zkmNlZo5uWRlc5EcyXWpPHbkFzfy5\n"
    "VTG2OeLgkuBCA57n/SJDOv/1Vxj3hO/BO26EKQ3jDUTMQUFkuQD46k59yYYrrl1f\n"
    "UqkMQ2HMRtD8f+1W2GYu2NsvdX5nbyS/TudCLgec++DijUz1Nj14YsCR9fiV1RHe\n"
    "MuhMX2WtXwKBgQC4x6bdRzvxbzFor3Vbe/kGYxIeffbK7ogutGAXPPRMx0NPMGcv\n"
    "ry19VoS8qOV7LCwYPgFXUu3fW3xJYme2+o+BVjDnC1VjIGLRvzXEpt11Y1IQEyTk\n"
    "JYL7LUrST65FuHt3OuN4zx7Zalouak0ml3Y5C9j/11wLaveATZfRXmb/1QKBgEcS\n"
    "IoAvNbyj6FPJwPr6J6UcbxyJBVQwdmGr8UckcUk3ZsawFDPw4rVEke7scEzykD56\n"
    "Qxb7vhKiSa/6Av2TkQtPXvQnNpflqdbyBKMBAwlDffigR7xaP/pG4IoS1rpFJ8w5\n"
    "sv3k0CJGA6nhmp/J8JxJt1gLlXILfO4exqRgeLx3AoGBAJGb1LNdHsUtEc5K1tNx\n"
    "6Ts44j+wdO46PqdpvpC7oxtFsf6JQT/w2FQTdROrEDWg+M0lksP2b2TkQ1uTssZ6\n"
    "Wtx4588vFCe2/aUL4D/F/EzrqdLCWSbJ/W0F8KXGk9uxmq+qMsEkJOeJZ+YxlF/v\n"
    "CNbgkn6UXdkk6fPveDU1kFVU\n"
    "-----END PRIVATE KEY-----\n";
inline constexpr std::string_view kRsaPrivatePkcs1 =
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "MIIEpAIBAAKCAQEAwd1nfwsNQZU9YCDBQ19xVXlMRGNYZLuDSJic7MDm1MHRfPsa\n"
    "L9t4fVjkuFW8iPOqxsGaBUdsndMQsFh9nrEU8eIuCT0nDL0zFs0qPtvpEqKDQyBR\n"
    "9rygePL+L8MlRUehsBjJLRD4PIPY0btCVLabzfkVH+5JBfVLt5etiWaTjrJdiytX\n"
    "rT7rQoB+Idx111/TWOzej+zDAYKwqVa8UqM65z9CSwsgItaxqR1F8Djs6tW2kfzC\n"
    "uLmDdAysIm59yYXoL2JW9U+a6ZUVpKgogeZ11o5I8vtuLkjnIFmMah9qUgM2wFlf\n"
    "KdQOkP6JYbAxs8h+vSFsq36BBhP1F/+DXRndZQIDAQABAoIBAAqU5FXLC3haxi9Y\n"
    "NQRRkio+r9rZwKo65pxl9sbLdANaku3V949zf3JOvFPoG3LZjfxBoVUMGXx3LVAw\n"
    "JvyBoOmKVXCb/bopx5Sah+WcyO4t9ak1Jel9ppVYz2au/vqhlsyPBcgScYzoC254\n"
    "i1Mmu9QJy6KNtemqgm1XzO6U1+qwGatAZo4FDdzH4zjjpSy8idgJuyTF3jBRx0Wr\n"
    "XZK8c1ryQCpNJ78FzWhqBXp28fhLZM7DZ32HE+CHQOC/3t18c5eYak1EeKtK5x1P\n"
    "H67WhwtFbo2jfRGdGVqOo1djRWI29PISAU1de5AHqaX9tS4+evBHy5MxBQaxSPnO\n"
    "itImz08CgYEA5bGgwYSTOg9MppyOa8hbTD53NEu8LjZ+3+gkpgyVaEStyUQAHfEW\n"
    "0HuJu0popkQIrxX3CH+rt4V1/Kwg8o+Vi0c5VPcns7xmNlW/ofplqMbYoxkC5nYQ\n"
    "4bE7RCgNY5VgIYP19P/9FtZOr0+e+AetB2t3NHPa/nN7UglrqhDNZ7sCgYEA2BFP\n"
    "M5JjZWaOblkZXORHMl1qTx25Bc38uVUxtjni4JLgQgOe5/0iQzr/9VcY94TvwTtu\n"
    "hCkN4w1EzEFBZLkA+OpOfcmGK65dX1KpDENhzEbQ/H/tVthmLtjbL3V+Z28kv07n\n"
    "Qi4HnPvg4o1M9TY9eGLAkfX4ldUR3jLoTF9lrV8CgYEAuMem3Uc78W8xaK91W3v5\n"
    "BmMSHn32yu6ILrRgFzz0TMdDTzBnL68tfVaEvKjleywsGD4BV1Lt31t8SWJntvqP\n"
    "gVYw5wtVYyBi0b81xKbddWNSEBMk5CWC+y1K0k+uRbh7dzrjeM8e2WpaLmpNJpd2\n"
    "OQvY/9dcC2r3gE2X0V5m/9UCgYBHEiKALzW8o+hTycD6+ielHG8ciQVUMHZhq/FH\n"
    "JHFJN2bGsBQz8OK1RJHu7HBM8pA+ekMW+74Sokmv+gL9k5ELT170JzaX5anW8gSj\n"
    "AQMJQ334oEe8Wj/6RuCKEta6RSfMObL95NAiRgOp4ZqfyfCcSbdYC5VyC3zuHsak\n"
    "YHi8dwKBgQCRm9SzXR7FLRHOStbTcek7OOI/sHTuOj6nab6Qu6MbRbH+iUE/8NhU\n"
    "E3UTqxA1oPjNJZLD9m9k5ENbk7LGelrceOfPLxQntv2lC+A/xfxM66nSwlkmyf1t\n"
    "BfClxpPbsZqvqjLBJCTniWfmMZRf7wjW4JJ+lF3ZJOnz73g1NZBVVA==\n"
    "-----END RSA PRIVATE KEY-----\n";
inline constexpr std::string_view kOtherRsaPublic =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqtWk9gdthY0A+jOG6fgF\n"
    "p14xjIpNCOMF/IZtJQ/V63vrs7KRFLwP1NYkY8HEWDmZSeWmFFBQnZuWXu94apvC\n"
    "I/yd0NVcS1AifJFnjVMaYVIkqlqglA1VI7KdUnFgaMl1hhAmILNgT6VMIPEAjMbB\n"
    "VOgc03ogOJ8vKjg31NutDMph147bugoCsl1eS39FNDPmV8BOTo6lLaXJIbAC6vws\n"
    "IJiaNMnq29YyVrNoqnPph+XMJvZH3cYkq0Opf8rbe0KKFDqeGWRZkQZQARmPfvP6\n"
    "MN+n0xOgnDnPOdf78t4qJnFmgHKJZhrXSOPIpaxELU292jwhyNFUTtazTamrLXEg\n"
    "SwIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
inline constexpr std::string_view kOtherRsaPrivate =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQCq1aT2B22FjQD6\n"
    "M4bp+AWnXjGMik0I4wX8hm0lD9Xre+uzspEUvA/U1iRjwcRYOZlJ5aYUUFCdm5Ze\n"
    "73hqm8Ij/J3Q1VxLUCJ8kWeNUxphUiSqWqCUDVUjsp1ScWBoyXWGECYgs2BPpUwg\n"
    "8QCMxsFU6BzTeiA4ny8qODfU260MymHXjtu6CgKyXV5Lf0U0M+ZXwE5OjqUtpckh\n"
    "sALq/CwgmJo0yerb1jJWs2iqc+mH5cwm9kfdxiSrQ6l/ytt7QooUOp4ZZFmRBlAB\n"
    "GY9+8/ow36fTE6CcOc851/vy3iomcWaAcolmGtdI48ilrEQtTb3aPCHI0VRO1rNN\n"
    "qastcSBLAgMBAAECggEAFm7jsKMdELKJdFGb39F//JBz9T6cCxS0zopgfsNrlfa5\n"
    "5ukGADEJ6ysLsEXboLI/nOKZQoWhcHDj+Cd+KpG1lsAvgSLjccheHvmBHZ/SEQGW\n"
    "awBnocl2aq+j1RWqUVhTJH2uZBDqDstoCdNb/SCEdr/cOTEKViUhLmwfeMY4HTum\n"
    "4oDwVrhRFw+AzkUbnWQlr7NTGdqmWXr90SN87uRgdGW5wWn2pKygSzj/mE8Ka5ZL\n"
    "rWLZ2Ywxa3KygvojROPdur3ev0+xyuH/YM0HQODUtEskQDnIseXnn23HWGvq4xyb\n"
    "xLi0wGjjmP/cAXm1y0BoZDcAXd6Wzmdmx8db6KNBkQKBgQDunzkurcqJMj6Ov5Rz\n"
    "Y+LoapBoddmmmLwF5xWszVEAL3PjwKvXPLfuw01zBDyW5HvPboEBmQS5Gf92it1s\n"
    "UeYPlwRYYeT1E2ZZnLTSP5cLM9lUPED7LU/3uHrZoCREo2cNdudJmYVXrwwLRcT/\n"
    "hadZzJ49esBJjnYp94F3MA1ZTwKBgQC3Rp5K1Z0QNzkrlu0VcV88/ng3yxcnCIdD\n"
    "Mf88Klx7OT54Atm3kPsD3OTGbqFguDckaX6jPq+aVwTW/VsxMslzsFQnOJXJ6OXM\n"
    "yFSOMOdT2w7/EWDO2aBw9WTJIvmTM7D2as0u/SQp0JfBJHpbh/5VKUybR9nP4gtO\n"
    "haDsqEeSRQKBgQCdZPD21TNu43FX/w4QPqaA3yl5faKevMforNAjNxpioOo0I/Y0\n"
    "9pvsJW6EmxrL/NGdtSnqv9/ZqEhVDKuYszyos9ft5ER9UtqD6VVsCP28KesEIOpL\n"
    "w0un/ksqGPNTQuTKgM92QIkvmQq8tLyIPsRv+wO1Ua5b1lgivlrrHwrvCQKBgQC0\n"
    "Kc9hcSu8zQx+NRdKhPBCXUSAVDymOlP9UiC9XEcdOuCVyPeM5BBdc7/Q8N/i3DQY\n"
    "rzu17eFhrzkqvlPuwSYXe7a993oHydJcxHGadahxXl4Xj1XDAVwerpwsvRzp/15u\n"
    "Xf7luiLamBsV2m4NnFoADWEpJDCRknva7LGM8r+ooQKBgAkY8pqIm3szpainODx5\n"
    "o6SoMJTv5VA+IGJUtAddlxF6DDlgObZehNfW5fY4fXFZEYsWFfCDUBxFfnmD4oJt\n"
    "3PexlXGmxbHRc47zUxKaWQyn1KWFpWmY7Ho2sW2i/Dhn4uMWM3cSyvxDzMrqBnLj\n"
    "ja2r8puHi5A7Gpf6PVxKhTQs\n"
    "-----END PRIVATE KEY-----\n";
inline constexpr std::string_view kEcPublic =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMp8OZi94I0ZAX1gh7CUfPoTfOSO1\n"
    "QAY6aO/fsOMBIfFSD0iuTuKMV2JKgMcXX93KDypag7zsmTLLmuWdYk0h9A==\n"
    "-----END PUBLIC KEY-----\n";
inline constexpr std::string_view kEcPrivate =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgMkbdTwAOE1/vx9DU\n"
    "18asMrtdzgxBIveQDxx7EgMZEmmhRANCAAQynw5mL3gjRkBfWCHsJR8+hN85I7VA\n"
    "Bjpo79+w4wEh8VIPSK5O4oxXYkqAxxdf3coPKlqDvOyZMsua5Z1iTSH0\n"
    "-----END PRIVATE KEY-----\n";
inline constexpr std::string_view kEcPrivateSec1 =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIDJG3U8ADhNf78fQ1NfGrDK7Xc4MQSL3kA8cexIDGRJpoAoGCCqGSM49\n"
    "AwEHoUQDQgAEMp8OZi94I0ZAX1gh7CUfPoTfOSO1QAY6aO/fsOMBIfFSD0iuTuKM\n"
    "V2JKgMcXX93KDypag7zsmTLLmuWdYk0h9A==\n"
    "-----END EC PRIVATE KEY-----\n";
inline constexpr std::string_view kOtherEcPublic =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEBd+gwKgJF/N+5v+V1JHwzk7SrIrh\n"
    "0yhVPJ8df2+5TfNDGhGXcrJFTVTTKxrfAEVu9Fd32/3YpH80CJvp45QI3g==\n"
    "-----END PUBLIC KEY-----\n";
inline constexpr std::string_view kOtherEcPrivate =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgvM0b+zrVkZ2Ewytf\n"
    "thY9etJPKHQnWZIu9+3l6hViXx2hRANCAAQF36DAqAkX837m/5XUkfDOTtKsiuHT\n"
    "KFU8nx1/b7lN80MaEZdyskVNVNMrGt8ARW70V3fb/dikfzQIm+njlAje\n"
    "-----END PRIVATE KEY-----\n";
inline constexpr std::string_view kShortRsaPublic =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDBvdVcdTOKowTIWwpV9xP38LZr\n"
    "IT7Mv+rt4OI2CDF4MB8jEwuZSRwuwYfmBVsUiBGurADJh7AwhZ8cE0ZL/oCABp6L\n"
    "PcAe1VcWwYhrSDrnDwaEeSEHkoppGy6FWqQS6hToSYwPHRrwB1RPhP0yz0VF+7Z5\n"
    "Evxpz0y5Bdg3lgRKjQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
inline constexpr std::string_view kShortRsaPrivate =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAMG91Vx1M4qjBMhb\n"
    "ClX3E/fwtmshPsy/6u3g4jYIMXgwHyMTC5lJHC7Bh+YFWxSIEa6sAMmHsDCFnxwT\n"
    "Rkv+gIAGnos9wB7VVxbBiGtIOucPBoR5IQeSimkbLoVapBLqFOhJjA8dGvAHVE+E\n"
    "/TLPRUX7tnkS/GnPTLkF2DeWBEqNAgMBAAECgYA9buFx4OQICOsiUOP1IFSfoR9m\n"
    "1vLf39cxuMZiFbUCBFhLOeXKpEkgdlOOV5Jq7z6UIYxaWwE+UZCDSYVX4YqC/6zG\n"
    "/07le8kj7qo/FE3MxPVglKxKz7EKKVACzHhH5wRasgaEKKwWVPG4UOj4NK3wWuB2\n"
    "JsCZ59O85wVUSMQOgQJBAP1aNVDKAzOX/Ekmm0GVxx2NFzFBB4yaltj4LI27oKg+\n"
    "uISLQAd34Lwvm828SHESsQMrd+On1thR5ipX0d+62mECQQDDxCYT6kjI4Egjk4XP\n"
    "Una4i/KrcDMfU/a+NnGtw8Sq0Mg5YKw1Dz6ihWC9byWmqwxnwrw1XqSTWTohT2av\n"
    "IBetAkAmzA2mFYlv+TJVMWhNHtajG9wVWtQBIBtBlp+cBMORgClZgsmHW0A7ET9W\n"
    "viKJzkb1KU7uueEYt1H74f7tt/uBAkAGLWZWMophbFJabQlH5X5BjIj3x+6VCn06\n"
    "u1US+p52FWh8BwToF7cOQc8vqxYxECywCYEO3hGrZKFk87B1zjlxAkEAyrPPBlAL\n"
    "6MEVJrU8xhJXBaG5LWxm0WIei35AAIti9ozuJw+8w6XcbWocSgeYhf5dcfGLCC4u\n"
    "McyHn4j+c1jzSg==\n"
    "-----END PRIVATE KEY-----\n";
inline constexpr std::string_view kP384Public =
    "-----BEGIN PUBLIC KEY-----\n"
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEdmlIg3pROBaPw7GOoL1dhMbMgfOcOlIB\n"
    "8LXM7tAiGEMBjZWlkIlufEcw1+JkSxmCPoLQw/OW1nfeaKjRRWg9MFrbrQQKE2Ma\n"
    "7G8HN0v2igA2iSBk7qM2fHISi/Xb773W\n"
    "-----END PUBLIC KEY-----\n";
inline constexpr std::string_view kEd25519Public =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEA0lpMlA2ErzMYzyjidt8n6Ag22rzuan2AhOuu18EI7eY=\n"
    "-----END PUBLIC KEY-----\n";

// The public keys above as members of a JWK.
inline constexpr std::string_view kRsaModulus =
    "wd1nfwsNQZU9YCDBQ19xVXlMRGNYZLuDSJic7MDm1MHRfPsaL9t4fVjkuFW8iPOqxsGaBUdsndMQsFh9nrEU8eIuCT0nDL0zFs0qPtvpEqKDQy"
    "BR9rygePL-L8MlRUehsBjJLRD4PIPY0btCVLabzfkVH-5JBfVLt5etiWaTjrJdiytXrT7rQoB-Idx111_TWOzej-zDAYKwqVa8UqM65z9CSwsg"
    "ItaxqR1F8Djs6tW2kfzCuLmDdAysIm59yYXoL2JW9U-a6ZUVpKgogeZ11o5I8vtuLkjnIFmMah9qUgM2wFlfKdQOkP6JYbAxs8h-vSFsq36BBh"
    "P1F_-DXRndZQ";
inline constexpr std::string_view kRsaExponent = "AQAB";
inline constexpr std::string_view kEcX = "Mp8OZi94I0ZAX1gh7CUfPoTfOSO1QAY6aO_fsOMBIfE";
inline constexpr std::string_view kEcY = "Ug9Irk7ijFdiSoDHF1_dyg8qWoO87Jkyy5rlnWJNIfQ";

// {"sub":"alice","exp":1790003600,"subscribe":["orders"]}, each signed with the key above.
inline constexpr std::string_view kHs256Token =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTc5MDAwMzYwMCwic3Vic2NyaWJlIjpbIm9yZGVycyJdf"
    "Q.8VvyrHc2LC3CYdYj7RjKXzHjGxJ7d3R9-PgBOvdaSAc";
inline constexpr std::string_view kRs256Token =
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTc5MDAwMzYwMCwic3Vic2NyaWJlIjpbIm9yZGVycyJdf"
    "Q.ATEzcYSFMeZ2Vn-yM0dveCLqly5LJLFs6JwzfwCn8wrQDhIdAckLohlMklgjfQmRAFHNKHafX9MKL0znnhEdYxIGPBcAfGnKLrLhNUzxFBno"
    "o-YhOfKnTERIVgJ8sJAWz1jcTY4RmiDh76I2p5CYKkkQdi9qvE9GKtHjT-tqnKcJnEq_gTxnQQCWNeyP1iswLTUn6HpQGpcJ_MkczRohrbCJAv"
    "AD8SyvMFMJnsQN7WWhfKLjzrzJelrbnJTX3U-OJvAbWshx0TKxC6so6F-FNbPza1zqkUE4BxNuF5pJCuyyT-4eu5RvfWbho64DFr75V-5pXsAq"
    "FloGVXz1H4DHIQ";
inline constexpr std::string_view kEs256Token =
    "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTc5MDAwMzYwMCwic3Vic2NyaWJlIjpbIm9yZGVycyJdf"
    "Q.PFZz1grdtkNB5nrKQLRDja7prWr-ZXEEgfXYlAEe7HeaaaC-vJvXCSJpP0wcl-l4K_52KDK3HSgjkfBwKPX03Q";

}  // namespace ringcast::test_keys
