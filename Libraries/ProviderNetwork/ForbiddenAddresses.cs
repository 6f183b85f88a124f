using System.Net;
using System.Net.Sockets;

namespace LlmMarketplace.ProviderNetwork;

/// <summary>
/// Addresses that no listing may lead to: what is not globally reachable by the IANA special-purpose registries (RFC 6890),
/// multicast, and IPv6 forms that carry a forbidden IPv4 address (mapped, compatible, 6to4, Teredo, NAT64).
/// </summary>
public static class ForbiddenAddresses
{
    private static readonly IPNetwork[] ForbiddenIPv4 = Networks(
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
        "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4");

    /// <summary>Only this part of IPv6 is global unicast (RFC 4291); all else is forbidden without being named.</summary>
    private static readonly IPNetwork GlobalIPv6 = IPNetwork.Parse("2000::/3");

    private static readonly IPNetwork[] ForbiddenWithinGlobalIPv6 = Networks("2001::/23", "2001:db8::/32", "3fff::/20");

    private static readonly IPNetwork Nat64 = IPNetwork.Parse("64:ff9b::/96");
    private static readonly IPNetwork SixToFour = IPNetwork.Parse("2002::/16");

    /// <summary>True when nothing outside this host's own networks answers at <paramref name="address"/>.</summary>
    public static bool IsForbidden(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        if (EmbeddedIPv4(address) is { } inner)
        {
            return IsForbidden(inner);
        }

        return address.AddressFamily switch
        {
            AddressFamily.InterNetwork => ForbiddenIPv4.Any(network => network.Contains(address)),
            AddressFamily.InterNetworkV6 => !GlobalIPv6.Contains(address) || ForbiddenWithinGlobalIPv6.Any(network => network.Contains(address)),
            _ => true,
        };
    }

    private static IPAddress? EmbeddedIPv4(IPAddress address)
    {
        if (address.AddressFamily != AddressFamily.InterNetworkV6)
        {
            return null;
        }

        if (address.IsIPv4MappedToIPv6)
        {
            return address.MapToIPv4();
        }

        var bytes = address.GetAddressBytes();
        return Nat64.Contains(address) ? new IPAddress(bytes.AsSpan(12)) : SixToFour.Contains(address) ? new IPAddress(bytes.AsSpan(2, 4)) : null;
    }

    private static IPNetwork[] Networks(params string[] networks) => [.. networks.Select(network => IPNetwork.Parse(network))];
}
