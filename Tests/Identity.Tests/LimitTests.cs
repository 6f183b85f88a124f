using System.Diagnostics.Metrics;
using System.Globalization;
using System.Net;
using Microsoft.Extensions.DependencyInjection;

namespace LlmMarketplace.Identity.Tests;

public sealed class LimitTests(SharedIdentity shared)
{
    [Fact]
    public async Task An_address_that_asks_for_too_many_tokens_is_told_when_to_come_back()
    {
        await using var app = await IdentityApp.StartAsync(shared.Postgres, settings => settings["Identity:RateLimits:TokenRequestsPerMinute"] = "3");
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(HttpStatusCode.Unauthorized, (await PostTokenAsync(app, "203.0.113.1")).Status);
        }

        var (status, retryAfter, body) = await PostTokenAsync(app, "203.0.113.1");
        Assert.Equal(HttpStatusCode.TooManyRequests, status);
        Assert.InRange(int.Parse(retryAfter!, CultureInfo.InvariantCulture), 1, 60);
        Assert.Contains("rate_limited", body, StringComparison.Ordinal);

        Assert.Equal(HttpStatusCode.Unauthorized, (await PostTokenAsync(app, "203.0.113.2")).Status); // Another address.
        Assert.Equal(HttpStatusCode.TooManyRequests, (await PostTokenAsync(app, "198.51.100.7, 203.0.113.1")).Status); // What the caller says of itself is not believed.
    }

    [Fact]
    public async Task An_address_that_signs_in_too_often_is_told_so_on_a_page()
    {
        await using var app = await IdentityApp.StartAsync(shared.Postgres, settings => settings["Identity:RateLimits:SignInAttemptsPerMinute"] = "2");
        var browser = new Browser(app);
        for (var i = 0; i < 2; i++)
        {
            await browser.GoAsync("/signin");
            await browser.SignInAsync("nobody@people.test", "whatever it is");
            Assert.Equal(HttpStatusCode.Unauthorized, browser.Status);
        }

        await browser.GoAsync("/signin"); // Looking is free.
        await browser.SignInAsync(IdentityApp.AdministratorEmail, IdentityApp.AdministratorPassword);

        Assert.Equal(HttpStatusCode.TooManyRequests, browser.Status);
        Assert.Contains("Too many attempts", browser.Body, StringComparison.Ordinal);
        Assert.NotNull(browser.Headers.RetryAfter);
    }

    [Fact]
    public async Task Failed_sign_ins_and_lock_outs_are_counted()
    {
        await using var app = await IdentityApp.StartAsync(shared.Postgres);
        var factory = app.App.Services.GetRequiredService<IMeterFactory>();
        var counted = new System.Collections.Concurrent.ConcurrentDictionary<string, long>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Name == "LlmMarketplace.Identity" && ReferenceEquals(instrument.Meter.Scope, factory))
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            var outcome = "";
            foreach (var tag in tags)
            {
                outcome += " " + tag.Value;
            }

            counted.AddOrUpdate(instrument.Name + outcome, value, (_, before) => before + value);
        });
        listener.Start();

        var browser = new Browser(app);
        for (var i = 0; i < 6; i++)
        {
            await browser.GoAsync("/signin");
            await browser.SignInAsync(IdentityApp.AdministratorEmail, "a wrong password");
        }

        Assert.Equal(5, counted["marketplace.identity.sign_ins Wrong"]);
        Assert.Equal(1, counted["marketplace.identity.sign_ins LockedOut"]);
        Assert.Equal(1, counted["marketplace.identity.lock_outs"]);
    }

    private static async Task<(HttpStatusCode Status, string? RetryAfter, string Body)> PostTokenAsync(IdentityApp app, string forwardedFor)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/connect/token")
        {
            Content = new FormUrlEncodedContent([new("grant_type", "client_credentials"), new("client_id", "nobody"), new("client_secret", "nothing")]),
        };
        request.Headers.Add("X-Forwarded-For", forwardedFor);
        using var response = await app.Client.SendAsync(request);
        return (response.StatusCode, response.Headers.RetryAfter?.ToString(), await response.Content.ReadAsStringAsync());
    }
}
