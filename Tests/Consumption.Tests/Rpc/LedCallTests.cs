using System.Net;
using LlmMarketplace.Consumption.Rpc;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Rpc;

public sealed class LedCallTests
{
    [Fact]
    public void A_call_by_gRPC_comes_from_its_callers_address_to_which_its_wrong_keys_count()
    {
        var outer = new DefaultHttpContext { Connection = { RemoteIpAddress = IPAddress.Parse("203.0.113.7") } };

        using var led = new LedCall(outer, "/v1/chat/completions", default, null!, CancellationToken.None);

        Assert.Equal(outer.Connection.RemoteIpAddress, led.Http.Connection.RemoteIpAddress);
    }
}
