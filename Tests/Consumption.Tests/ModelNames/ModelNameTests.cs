using LlmMarketplace.Consumption.Catalogue;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.ModelNames;

public sealed class ModelNameTests
{
    [Theory]
    [InlineData("acme/chat", "acme/chat", null)]
    [InlineData("acme/chat@1", "acme/chat", "1")]
    [InlineData("acme/chat@1.2.3-beta.1+build", "acme/chat", "1.2.3-beta.1+build")]
    [InlineData("acme/chat@1@2", "acme/chat", "1@2")]
    public void A_name_is_a_provider_a_service_and_maybe_a_version(string text, string listing, string? version)
    {
        Assert.True(ModelName.TryParse(text, out var name));
        Assert.Equal((listing, version, text), (name.Listing, name.Version, name.ToString()));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("acme")]
    [InlineData("acme/")]
    [InlineData("/chat")]
    [InlineData("a/b/c")]
    [InlineData("acme/chat@")]
    [InlineData("acme/@1")]
    [InlineData("@acme/chat")]
    public void All_else_is_none(string? text) => Assert.False(ModelName.TryParse(text, out _));

    [Fact]
    public void A_name_has_at_most_300_characters()
    {
        Assert.True(ModelName.TryParse("acme/" + new string('a', 295), out _));
        Assert.False(ModelName.TryParse("acme/" + new string('a', 296), out _));
    }
}
