using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.ModelNames;

/// <summary>What a caller may see is what it may call: <c>/v1/models</c> and the calls themselves say the same.</summary>
public sealed class ModelsTests(Marketplace marketplace)
{
    [Fact]
    public async Task A_model_is_told_in_openais_shape()
    {
        var (client, _) = await CallerAsync();
        var listing = await marketplace.AddServiceAsync();
        var id = $"acme/{listing.Name}";

        var model = await client.GetFromJsonAsync<JsonElement>($"/v1/models/{id}");

        Assert.Equal((id, "model", "acme", 0), (model.Text("id"), model.Text("object"), model.Text("owned_by"), model.GetProperty("created").GetInt64()));
        var list = await client.GetFromJsonAsync<JsonElement>("/v1/models");
        Assert.Equal("list", list.Text("object"));
        Assert.Equal(model.GetRawText(), list.GetProperty("data").EnumerateArray().Single(item => item.Text("id") == id).GetRawText());
    }

    [Fact]
    public async Task A_model_is_told_to_who_escapes_the_slash_and_to_Anthropics_clients_in_their_own_shape()
    {
        var (client, _) = await CallerAsync();
        var id = $"acme/{(await marketplace.AddServiceAsync()).Name}";
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/models/nobody%2Fnothing") { Headers = { { "anthropic-version", "2023-06-01" } } };

        var escaped = await client.GetFromJsonAsync<JsonElement>($"/v1/models/{Uri.EscapeDataString(id)}");
        using var unknown = await client.SendAsync(request);
        client.DefaultRequestHeaders.Add("anthropic-version", "2023-06-01");
        var model = await client.GetFromJsonAsync<JsonElement>($"/v1/models/{Uri.EscapeDataString(id)}");
        var list = await client.GetFromJsonAsync<JsonElement>("/v1/models");

        Assert.Equal(id, escaped.Text("id"));
        Assert.Equal($$"""{"type":"model","id":"{{id}}","display_name":"{{id}}","created_at":"1970-01-01T00:00:00+00:00"}""", model.GetRawText());
        Assert.Contains(list.GetProperty("data").EnumerateArray(), item => item.GetRawText() == model.GetRawText());
        Assert.False(list.GetProperty("has_more").GetBoolean());
        Assert.Equal(list.GetProperty("data")[0].Text("id"), list.Text("first_id"));
        Assert.Equal(("error", unknown.Headers.GetValues("request-id").Single()), ((await unknown.JsonAsync()).Text("type"), (await unknown.JsonAsync()).Text("request_id")));
    }

    [Fact]
    public async Task A_private_listing_exists_for_its_own_organisation_only()
    {
        var (client, member) = await CallerAsync();
        var listing = await marketplace.AddServiceAsync(visibility: new ListingVisibility(VisibilityKind.Private, []));

        await AssertUnknownAsync(client, listing);

        await marketplace.TellAsync(listing with { OrganisationId = member.Id });
        await Until.TrueAsync(async () => await ListsAsync(client, listing));
    }

    [Fact]
    public async Task A_listing_for_some_organisations_exists_for_them_only()
    {
        var ((client, member), (stranger, _)) = (await CallerAsync(), await CallerAsync());
        var listing = await marketplace.AddServiceAsync(visibility: new ListingVisibility(VisibilityKind.Organisations, [member.Id]), url: "http://down.local/v1");

        await AssertUnknownAsync(stranger, listing);

        Assert.True(await ListsAsync(client, listing));
        Assert.Equal("provider_unavailable", (await (await CallAsync(client, listing)).ErrorAsync()).Code);
    }

    [Theory]
    [InlineData("internal", ComplianceLevel.Public, false)]
    [InlineData("internal", ComplianceLevel.Internal, true)]
    [InlineData("confidential", ComplianceLevel.Internal, false)]
    [InlineData("restricted", ComplianceLevel.Confidential, false)]
    [InlineData("restricted", ComplianceLevel.Restricted, true)]
    public async Task A_listing_above_the_callers_clearance_does_not_exist_for_it(string level, ComplianceLevel clearance, bool exists)
    {
        var member = await marketplace.AddOrganisationAsync(clearance: clearance);
        using var client = (await member.CreateKeyAsync()).Client();
        var listing = await marketplace.AddServiceAsync(level: level);

        if (exists)
        {
            Assert.True(await ListsAsync(client, listing));
        }
        else
        {
            await AssertUnknownAsync(client, listing);
        }
    }

    [Fact]
    public async Task What_a_caller_may_not_know_answers_as_what_does_not_exist()
    {
        var (client, _) = await CallerAsync();
        var hidden = await marketplace.AddServiceAsync(visibility: new ListingVisibility(VisibilityKind.Private, []), suspended: true);

        async Task<(HttpStatusCode, string)> Of(HttpResponseMessage answer, string name) => (answer.StatusCode, (await answer.Content.ReadAsStringAsync()).Replace(name, "NAME", StringComparison.Ordinal));

        Assert.Equal(await Of(await CallAsync(client, "acme/no-such"), "no-such"), await Of(await CallAsync(client, hidden), hidden.Name));
        Assert.Equal(await Of(await client.GetAsync("/v1/models/acme/no-such"), "no-such"), await Of(await client.GetAsync($"/v1/models/acme/{hidden.Name}"), hidden.Name));
    }

    [Theory]
    [InlineData("acme")]
    [InlineData("acme/")]
    [InlineData("/service")]
    [InlineData("acme/a/b")]
    [InlineData("gpt-4o")]
    [InlineData("")]
    public async Task A_name_of_another_shape_is_an_unknown_model(string name)
    {
        var (client, _) = await CallerAsync();

        Assert.Equal(new OpenAiError(404, "invalid_request_error", "model_not_found", "model"), await (await CallAsync(client, name)).ErrorAsync());
    }

    [Fact]
    public async Task A_suspended_listing_or_version_is_not_listed_and_says_so_when_called()
    {
        var (client, _) = await CallerAsync();
        var whole = await marketplace.AddServiceAsync(suspended: true);
        var version = await marketplace.AddServiceAsync(versions: [("1.0.0", VersionStatus.Suspended)]);

        foreach (var listing in new[] { whole, version })
        {
            Assert.False(await ListsAsync(client, listing));
            Assert.Equal(new OpenAiError(403, "invalid_request_error", "service_suspended", "model"), await (await CallAsync(client, listing)).ErrorAsync());
        }
    }

    [Fact]
    public async Task A_suspended_providers_services_are_suspended()
    {
        var (client, _) = await CallerAsync();
        var provider = await marketplace.AddOrganisationAsync();
        var template = await marketplace.AddServiceAsync();
        var listing = template with { ListingId = Guid.CreateVersion7(), OrganisationId = provider.Id, Provider = provider.Organisation.Slug };
        await marketplace.TellAsync(listing);
        Assert.True(await ListsAsync(client, listing));

        await marketplace.TellAsync(provider.Organisation with { Status = OrganisationStatus.Suspended });

        Assert.False(await ListsAsync(client, listing));
        Assert.Equal("service_suspended", (await (await CallAsync(client, listing)).ErrorAsync()).Code);
    }

    [Fact]
    public async Task A_retired_model_is_not_listed_and_says_so_when_called()
    {
        var (client, _) = await CallerAsync();
        var listing = await marketplace.AddServiceAsync(versions: [("1.0.0", VersionStatus.Retired), ("2.0.0", VersionStatus.Active)]);

        Assert.Equal("model_retired", (await (await CallAsync(client, $"acme/{listing.Name}@1")).ErrorAsync()).Code);
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync($"/v1/models/acme/{listing.Name}")).StatusCode);

        var (first, second) = (listing.Versions[0], listing.Versions[1]);
        await marketplace.TellAsync(listing with { Versions = [first, second with { Status = VersionStatus.Retired }] });
        Assert.False(await ListsAsync(client, listing));
        Assert.Equal(new OpenAiError(404, "invalid_request_error", "model_retired", "model"), await (await CallAsync(client, listing)).ErrorAsync());
    }

    [Fact]
    public async Task A_deprecated_model_is_served_and_says_when_it_ends()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        var version = shop.Listing.Versions[0];
        await marketplace.TellAsync(shop.Listing with { Versions = [version with { Status = VersionStatus.Deprecated, SunsetAt = new DateTimeOffset(2099, 5, 6, 7, 8, 9, TimeSpan.Zero) }] });

        var answer = await shop.ChatAsync();

        Assert.Equal((HttpStatusCode.OK, "Wed, 06 May 2099 07:08:09 GMT"), (answer.StatusCode, answer.Header("Sunset")));
        var model = await shop.Client.GetFromJsonAsync<JsonElement>($"/v1/models/{shop.Model}");
        Assert.Equal(new DateTimeOffset(2099, 5, 6, 7, 8, 9, TimeSpan.Zero), model.GetProperty("shutdown_date").GetDateTimeOffset());
    }

    [Theory]
    [InlineData("", "2.1.0")]
    [InlineData("@1", "1.10.0")]
    [InlineData("@1.2", "1.2.5")]
    [InlineData("@1.2.3", "1.2.3")]
    [InlineData("@2", "2.1.0")]
    [InlineData("@3", "3.0.0-beta.2")]
    [InlineData("@3.0.0-beta.1", "3.0.0-beta.1")]
    [InlineData("@4", "4.0.0")]
    [InlineData("@1.2.", null)]
    [InlineData("@1.2.3.4", null)]
    [InlineData("@9", null)]
    [InlineData("@", null)]
    public async Task The_version_is_the_highest_active_stable_one_that_the_name_admits(string suffix, string? expected)
    {
        var segment = Guid.CreateVersion7().ToString("n");
        marketplace.Provider.AnswerBelow(segment, ProviderScripts.Chat("hi", 1, 1));
        var listing = await marketplace.AddServiceAsync(
            url: $"http://scripted.local/{segment}/v1",
            versions:
            [
                ("1.2.3", VersionStatus.Active), ("1.2.5", VersionStatus.Active), ("1.10.0", VersionStatus.Active), ("2.1.0", VersionStatus.Active), ("2.2.0", VersionStatus.Deprecated),
                ("3.0.0-beta.1", VersionStatus.Active), ("3.0.0-beta.2", VersionStatus.Active), ("4.0.0", VersionStatus.Deprecated), ("5.0.0", VersionStatus.Retired), ("6.0.0", VersionStatus.Suspended),
            ]);
        var (client, member) = await CallerAsync();

        var answer = await CallAsync(client, $"acme/{listing.Name}{suffix}");

        if (expected is null)
        {
            Assert.Equal("model_not_found", (await answer.ErrorAsync()).Code);
            return;
        }

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var called = (await member.RecordAsync(Guid.Parse(answer.Header("x-request-id")!))).GetProperty("versionId").GetGuid();
        Assert.Equal(expected, listing.Versions.Single(version => version.VersionId == called).Version);
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync($"/v1/models/acme/{listing.Name}{suffix}")).StatusCode);
    }

    private async Task<(HttpClient Client, Member Member)> CallerAsync()
    {
        var member = await marketplace.AddOrganisationAsync();
        return ((await member.CreateKeyAsync()).Client(), member);
    }

    private static Task<HttpResponseMessage> CallAsync(HttpClient client, ListingChanged listing) => CallAsync(client, $"{listing.Provider}/{listing.Name}");

    private static Task<HttpResponseMessage> CallAsync(HttpClient client, string model) => client.PostJsonAsync("/v1/chat/completions", $$"""{"model":"{{model}}",{{Shop.Hello}} }""");

    private static async Task<bool> ListsAsync(HttpClient client, ListingChanged listing) =>
        (await client.GetFromJsonAsync<JsonElement>("/v1/models")).GetProperty("data").EnumerateArray().Any(model => model.Text("id") == $"{listing.Provider}/{listing.Name}");

    private static async Task AssertUnknownAsync(HttpClient client, ListingChanged listing)
    {
        Assert.False(await ListsAsync(client, listing));
        Assert.Equal(new OpenAiError(404, "invalid_request_error", "model_not_found", "model"), await (await client.GetAsync($"/v1/models/acme/{listing.Name}")).ErrorAsync());
        Assert.Equal(new OpenAiError(404, "invalid_request_error", "model_not_found", "model"), await (await CallAsync(client, listing)).ErrorAsync());
    }
}
