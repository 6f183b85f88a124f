using System.Net;
using System.Net.Sockets;

namespace LlmMarketplace.ApiConventions;

/// <summary>Who asks, as far as an address tells: what limits per address go by.</summary>
public static class ClientAddress
{
    /// <summary>An IPv4 address, however it is written; the first 64 bits of an IPv6 one, in hex, which a subscriber has to themselves; <c>unknown</c> when there is none.</summary>
    /// <param name="address">Where a request came from.</param>
    public static string Of(IPAddress? address)
    {
        if (address is null)
        {
            return "unknown";
        }

        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        return plain.AddressFamily is AddressFamily.InterNetworkV6 ? Convert.ToHexStringLower(plain.GetAddressBytes().AsSpan(0, 8)) : plain.ToString();
    }
}
