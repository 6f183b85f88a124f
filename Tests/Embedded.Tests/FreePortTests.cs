using System.Globalization;
using Xunit;

namespace LlmMarketplace.Embedded.Tests;

public sealed class FreePortTests
{
    [Fact]
    public void Chosen_ports_are_free_differ_and_are_none_that_a_connection_could_take()
    {
        var lent = File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range").Split('\t').Select(bound => int.Parse(bound, CultureInfo.InvariantCulture)).ToArray();

        var ports = Enumerable.Range(0, 200).Select(_ => FreePort.Choose()).ToList();

        Assert.Distinct(ports);
        Assert.All(ports, port => Assert.True(FreePort.IsFree(port)));
        Assert.All(ports, port => Assert.NotInRange(port, lent[0], lent[1]));
    }
}
