"""The demo: invented people, and one page with a patient's chat and the staff's inbox side by side."""
