using System.Collections.Concurrent;
using LlmMarketplace.Servers;
using Microsoft.AspNetCore.Http;
using Microsoft.Playwright;

namespace LlmMarketplace.Gateway.Tests.Docs;

public sealed class DocsTests
{
    private static readonly string? Chromium = Programs.Find("chromium") ?? Programs.Find("chromium-browser") ?? Programs.Find("google-chrome");

    [Theory]
    [InlineData("identity")]
    [InlineData("publishing")]
    [InlineData("discovery")]
    [InlineData("consumption")]
    [InlineData("admin")]
    public async Task A_services_document_is_shown_as_the_service_makes_it(string service)
    {
        await using var gateway = await StartedGateway.StartAsync();
        gateway.Services[service].Answer = context => context.Response.WriteAsync("{\"openapi\":\"3.1.1\",\"info\":{\"title\":\"" + service + "\"}}");

        using var answer = await gateway.GetAsync($"/docs/{service}.json");

        Assert.Equal(service, (await StartedGateway.JsonOf(answer)).GetProperty("info").GetProperty("title").GetString());
        Assert.Equal("/openapi/v1.json", gateway.Services[service].Received.Single(request => request.Target != "/.well-known/jwks").Target);
    }

    [Fact]
    public async Task The_gateways_own_document_is_among_them()
    {
        await using var gateway = await StartedGateway.StartAsync();

        using var answer = await gateway.GetAsync("/docs/gateway.json");

        var document = await StartedGateway.JsonOf(answer);
        Assert.StartsWith("3.1", document.GetProperty("openapi").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain(document.GetProperty("paths").EnumerateObject(), path => path.Name.Contains("{**", StringComparison.Ordinal) || path.Name == "/");
    }

    [Fact]
    public async Task The_reference_page_works_in_a_browser_under_its_strict_policy_and_asks_nobody_else()
    {
        Assert.SkipWhen(Chromium is null, "No Chromium is installed (apt-get install chromium): the pages are not looked at in a browser.");
        await using var gateway = await StartedGateway.StartAsync();
        foreach (var service in gateway.Services.Values)
        {
            service.Answer = context => context.Response.WriteAsJsonAsync(new
            {
                openapi = "3.1.1",
                info = new { title = "The " + service.Name, version = "v1" },
                paths = new Dictionary<string, object> { ["/api/v1/" + service.Name] = new { get = new { summary = "Reads " + service.Name, responses = new Dictionary<string, object> { ["200"] = new { description = "OK" } } } } },
            });
        }

        using var playwright = await Playwright.CreateAsync();
        await using var browser = await playwright.Chromium.LaunchAsync(new() { ExecutablePath = Chromium, Args = ["--no-sandbox"] });
        var page = await browser.NewPageAsync();
        var complaints = new ConcurrentQueue<string>();
        var asked = new ConcurrentQueue<string>();
        page.Console += (_, message) =>
        {
            if (message.Type == "error")
            {
                complaints.Enqueue(message.Text);
            }
        };
        page.PageError += (_, error) => complaints.Enqueue(error);
        page.Request += (_, request) => asked.Enqueue(request.Url);

        await page.GotoAsync(new Uri(gateway.Address, "/docs").AbsoluteUri);
        await page.GetByText("LlmMarketplace gateway").First.WaitForAsync(new() { Timeout = 30_000 });
        await page.GotoAsync(new Uri(gateway.Address, "/docs/publishing").AbsoluteUri);
        await page.GetByText("Reads publishing").First.WaitForAsync(new() { Timeout = 30_000 });
        await page.GotoAsync(gateway.Address.AbsoluteUri);
        await page.GetByText("API reference").WaitForAsync();

        Assert.All(asked, url => Assert.True(url.StartsWith(gateway.Address.AbsoluteUri, StringComparison.Ordinal) || url.StartsWith("data:", StringComparison.Ordinal) || url.StartsWith("blob:", StringComparison.Ordinal), url));
        Assert.Empty(complaints);
    }
}
